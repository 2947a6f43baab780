"""Paths of data sets, and reading their files with one-line errors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from semveil.errors import SemveilError
from semveil.reading import read_regular

ROOT_VARIABLE = "SEMVEIL_DATA"
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".7z", ".rar")
_MOST_BYTES = 1 << 28  # the largest file of a published set has 47 million


def data_root(root: Path | None = None) -> Path:
    """Return the folder of the data sets, ``SEMVEIL_DATA`` if None; it need not exist."""
    if root is not None:
        return Path(os.path.expanduser(root))
    if named := os.environ.get(ROOT_VARIABLE):
        return Path(os.path.expanduser(named))
    raise SemveilError(
        f"no data folder: set {ROOT_VARIABLE} to the folder that holds the data sets, "
        "or to an empty one and run 'semveil data fetch NAME'"
    )


def find_files(
    name: str,
    root: Path | None,
    folder: str,
    files: Sequence[tuple[str, ...]],
    archives: Sequence[str],
) -> Path:
    """Return the folder with all files, each under one of its names: ``folder``, or the root.

    An archive whose name begins with one of ``archives`` is to be unpacked.
    """
    base = data_root(root)
    remedy = f"run 'semveil data fetch {name}'"
    # The root may be a folder of the set itself.
    parts = Path(folder).parts
    for place in (base.joinpath(*parts[first:]) for first in range(len(parts) + 1)):
        # Unlike Path.is_file, this treats an inaccessible folder as one without the file.
        missing = [ns[0] for ns in files if not any(os.path.isfile(place / n) for n in ns)]
        if not missing:
            return place
        if len(missing) < len(files):
            raise SemveilError(f"{name}: {place / missing[0]} is missing; {remedy}")
    refuse_packed(name, [base, base / parts[0], base / folder], archives)
    raise SemveilError(
        f"{name} is not in {base} (no {folder}/); {remedy}, "
        f"or set {ROOT_VARIABLE} to the folder that holds it"
    )


def refuse_packed(name: str, places: Sequence[Path], archives: Sequence[str]) -> None:
    """Refuse an archive of a data set that was not unpacked, and a folder that cannot be read."""
    for place in places:
        try:
            found = sorted(os.listdir(place))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise SemveilError(f"{name}: cannot read {place}: {error.strerror}") from None
        for file in found:
            if file.lower().startswith(tuple(archives)) and file.lower().endswith(_ARCHIVES):
                raise SemveilError(f"{name}: unpack {place / file}, next to it")


def read_file(path: Path) -> bytes:
    """Return the content of a file."""
    try:
        return read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise SemveilError(f"cannot read {path}: {error.strerror or error}") from error


def verify(path: Path, content: bytes, algorithm: str, expected: str) -> None:
    """Check a file's content against its published digest."""
    # md5 detects damage and is what the CIFAR-10 authors publish; it does not prevent forgery.
    if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() != expected:
        raise SemveilError(
            f"{path} is not the published file ({algorithm} differs): delete it and fetch it again"
        )
