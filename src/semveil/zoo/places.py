"""Where the entries of the zoo are found, by name. Knows no torch."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from semveil.errors import SemveilError, unknown
from semveil.facts import ExactFacts, check_facts, read_facts
from semveil.files import locked, original_path, standing_folder, write_atomic

VARIABLE = "SEMVEIL_ZOO"
CONFIG = "config.json"
EMBEDDED = Path(__file__).parent / "entries"
_SET = re.compile(r"[a-z0-9][a-z0-9-]*")
_NAME = re.compile(rf"{_SET.pattern}/[a-z0-9][a-z0-9.-]*")
_INDEX = "index.json"
# Others hold an index while they write an entry, not while they measure it.
_PATIENCE_S = 60.0
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
# A folder's name may have 255 bytes, some of which files that are being written need.
Name = Annotated[str, Field(pattern=f"^{_NAME.pattern}$", max_length=200)]


class FileFacts(ExactFacts):
    """Size and digest of a file."""

    bytes: Annotated[int, Field(ge=0, le=1 << 30)]
    sha256: Digest


class IndexFacts(ExactFacts):
    """An index: the ``config.json`` of every entry, by name."""

    entries: dict[Name, FileFacts]


@dataclass(frozen=True)
class Place:
    """A folder with entries, each as ``SET/NAME``, and what it is, in words."""

    folder: Path
    about: str

    def entries(self) -> dict[str, Path]:
        """Return the folders of its entries by name, and whatever else has a name of an entry.

        Raises:
            SemveilError: If a part of it cannot be read, or it is an entry itself. Entries of the
                same names in other places would be taken instead.
        """
        found: dict[str, Path] = {}
        try:
            for group in self._inside(self.folder) if os.path.isdir(self.folder) else ():
                if _SET.fullmatch(group.name):
                    standing = {original_path(path) for path in self._inside(group)}
                    named = {f"{group.name}/{path.name}": path for path in sorted(standing)}
                    found |= {
                        name: standing_folder(path) for name, path in named.items() if is_name(name)
                    }
        except OSError as error:
            raise SemveilError(f"cannot read {error.filename}: {error.strerror}") from None
        return found

    def misnamed(self) -> list[Path]:
        """Return the folders of entries whose names none can have, so that they are not found."""
        configs = sorted(self.folder.glob(f"*/*/{CONFIG}"))
        return [
            path.parent
            for path in configs
            if not is_name("/".join(path.parts[-3:-1]))
            and not any(part.startswith(".") for part in path.parts[-3:-1])
        ]

    def _inside(self, folder: Path) -> list[Path]:
        names = sorted(os.listdir(folder))
        if CONFIG in names:
            raise SemveilError(
                f"{folder} ({self.about}) is an entry: expected a folder with entries as SET/NAME"
            )
        return [folder / name for name in names]


def is_name(text: str) -> bool:
    """Return whether a text has the form of a name: ``SET/NAME``, as in ``cifar10/ibal-d128``.

    Example:
        >>> is_name("cifar10/ibal-d128"), is_name("../x"), is_name("runs/ibal/2")
        (True, False, False)
    """
    return _NAME.fullmatch(text) is not None


def checkout() -> Path | None:
    """Return the folder ``zoo`` of the checkout that the package runs from; None if installed."""
    source = Path(__file__).resolve().parents[2]
    inside = source.name == "src" and (source.parent / "pyproject.toml").is_file()
    return source.parent / "zoo" if inside else None


def cache() -> Path:
    """Return the folder of entries that were fetched."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.path.expanduser(base)) / "semveil" / "zoo"


def named_folder() -> Path | None:
    """Return the folder that ``SEMVEIL_ZOO`` names; None if it names none."""
    named = os.environ.get(VARIABLE)
    return Path(os.path.expanduser(named)) if named else None


def places() -> list[Place]:
    """Return the places of entries, the first of which that has a name wins.

    Raises:
        SemveilError: If ``SEMVEIL_ZOO`` names no folder.
    """
    named = named_folder()
    if named is not None:
        _require_folder(named)
    found = [(named, f"in {VARIABLE}"), (checkout(), "in the checkout")]
    found += [(EMBEDDED, "in the package"), (cache(), "fetched")]
    return [Place(folder, about) for folder, about in found if folder is not None]


def _require_folder(named: Path) -> None:
    try:
        if stat.S_ISDIR(named.stat().st_mode):
            return
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise SemveilError(f"{VARIABLE}: cannot read {named}: {error.strerror}") from None
    raise SemveilError(f"{VARIABLE}: there is no folder {named}")


def entries() -> dict[str, tuple[Path, Place]]:
    """Return all entries that are there, by name, with their folders and places."""
    found: dict[str, tuple[Path, Place]] = {}
    for place in places():
        for name, folder in place.entries().items():
            found.setdefault(name, (folder, place))
    return dict(sorted(found.items()))


def index_of(folder: Path) -> Path:
    """Return the index of a place; the package holds that of the checkout's."""
    return EMBEDDED / _INDEX if folder == checkout() else folder / _INDEX


def read_index(path: Path) -> dict[str, FileFacts]:
    """Return what an index states; nothing if there is none.

    Raises:
        SemveilError: If it is damaged, or cannot be read.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise SemveilError(f"cannot read {path}: {error.strerror}") from None
    plain = read_facts(path, IndexFacts, f"there is no {path}")
    return check_facts(plain, IndexFacts, path).entries


@contextmanager
def held_index(folder: Path) -> Iterator[dict[str, FileFacts]]:
    """Give what the index of a place states, and keep others from writing it meanwhile.

    Raises:
        SemveilError: If it is damaged, or others go on holding it.
    """
    path = index_of(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SemveilError(f"cannot make {path.parent}: {error.strerror}") from None
    with locked(path.parent, _PATIENCE_S):
        yield read_index(path)


def write_index(folder: Path, known: Mapping[str, FileFacts]) -> None:
    """Write the index of a place, which must be held."""
    plain = {key: known[key].model_dump() for key in sorted(known)}
    write_atomic(index_of(folder), json.dumps({"entries": plain}, indent=1) + "\n")


def published() -> dict[str, FileFacts]:
    """Return the entries whose digests are known here, so that they can be fetched."""
    named = named_folder()
    known = read_index(EMBEDDED / _INDEX)
    return known if named is None else known | read_index(named / _INDEX)


def known() -> list[str]:
    """Return the names of all entries that are there or can be fetched."""
    return sorted({*entries(), *published()})


def find(name: str) -> Path:
    """Return the folder of an entry.

    Raises:
        SemveilError: If there is none of this name; near names are told.
    """
    here = entries()
    if name in here:
        return here[name][0]
    if name in published():
        raise SemveilError(f"{name} is not on this machine: run `semveil zoo fetch {name}`")
    raise unknown("zoo entry", name, known(), "semveil zoo list")
