"""Entries of the zoo: what their files must be, and strict reading. Knows no torch.

A folder is read whole or not at all: exactly four files, each with the digest that ``config.json``
states, and ``config.json`` with its own.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from semveil.errors import SemveilError, shown
from semveil.facts import (
    ExactFacts,
    Facts,
    ImageFacts,
    RunFacts,
    Seconds,
    check_facts,
    read_facts,
    refuse_missing,
)
from semveil.metrics import metric_of
from semveil.reading import read_regular
from semveil.zoo.places import CONFIG, Digest, FileFacts, Name, find, is_name, known

FORMAT = 1
MODEL, RECORDS, CARD = "model.safetensors", "records.jsonl", "README.md"
FILES = (CONFIG, MODEL, RECORDS, CARD)
_PICKLED = (".pt", ".pth", ".pkl", ".pickle", ".bin", ".ckpt", ".joblib")
# How a pickle, and the archive in which torch puts one, begin.
_PICKLES = (b"\x80", b"PK\x03\x04")
_MOST_BYTES = 1 << 28

Count = Annotated[int, Field(gt=0, le=1 << 31)]
Text = Annotated[str, Field(max_length=2000)]
Value = Annotated[float, Field(ge=-1e6, le=1e6)]
SnrDb = Annotated[float, Field(ge=-100, le=100)]


class FormatFacts(Facts):
    """What every version of the format states."""

    format: int


class FigureFacts(ExactFacts):
    """A number of the card; see :class:`semveil.experiment.card.CardFigure`."""

    party: Text
    metric: Text
    value: Value
    ci_low: Value
    ci_high: Value
    snr_db: SnrDb
    n: Count
    floor: Value | None
    adversary: Text | None


def most_tolerance(metric: str) -> float:
    """Return what a check may tolerate: 2 dB, or a tenth of the range of a fraction."""
    return 2.0 if metric_of(metric).unit == "dB" else 0.1


class CheckFacts(ExactFacts):
    """A figure that ``verify`` measures again.

    Attributes:
        metric: Its metric.
        value: What was measured when the entry was made.
        tolerance: How far from it a sound link may be.
        snr_db: Bob's SNR, dB.
        images: The first so many test images.
        draws: How often each is sent.
    """

    metric: Text
    value: Value
    tolerance: Annotated[float, Field(ge=0)]
    snr_db: SnrDb
    images: Count
    draws: Annotated[int, Field(gt=0, le=100)]

    @field_validator("tolerance")
    @classmethod
    def _moderate(cls, tolerance: float, info: ValidationInfo) -> float:
        # Where more is allowed, any link agrees. A metric that is no text is told by itself.
        most = most_tolerance(info.data.get("metric", ""))
        if tolerance > most:
            raise ValueError(f"more than {most:g}")
        return tolerance


class EntryImageFacts(ImageFacts):
    """The images of the run that an entry was made from."""

    model_config = ConfigDict(extra="forbid")


class EntryRunFacts(RunFacts):
    """Facts of the run that an entry was made from."""

    model_config = ConfigDict(extra="forbid")

    images: EntryImageFacts | None = None


class EntryFacts(ExactFacts):
    """The ``config.json`` of an entry.

    Attributes:
        format: Version of the format.
        name: Name of the entry, ``SET/NAME``.
        version: Version of the entry; a new one replaces the weights under the same name.
        title: Label of its system.
        weights: How the weights are stored.
        protocol: How Bob's figures were measured, in words.
        figures: The numbers of the card.
        checks: Those that are measured again.
        run: Facts of the run that it was made from: recipe, seed, commit, versions, cost.
        files: Sizes and digests of the other files.
        digest: SHA-256 of all of this but itself.
    """

    format: Literal[1]
    name: Name
    version: Count
    title: Text
    weights: Literal["float32", "bfloat16"]
    protocol: Text
    figures: Annotated[list[FigureFacts], Field(min_length=1)]
    checks: Annotated[list[CheckFacts], Field(min_length=1)]
    run: EntryRunFacts
    train_cpu_s: Seconds | None
    files: dict[str, FileFacts]
    digest: Digest


@dataclass(frozen=True)
class Entry:
    """An entry whose files were checked.

    Attributes:
        folder: Its folder.
        facts: What its ``config.json`` states.
        run: Facts of its run, as ``run.json`` has them.
    """

    folder: Path
    facts: EntryFacts
    run: dict[str, Any]

    @property
    def size(self) -> int:
        """Bytes of its files, but for ``config.json``."""
        return sum(file.bytes for file in self.facts.files.values())


def texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yield every text in plain content, with its key."""
    if isinstance(value, str):
        yield key, value
    inner = value.items() if isinstance(value, Mapping) else ()
    for name, each in inner or (enumerate(value) if isinstance(value, list) else ()):
        yield from texts(each, f"{key}.{name}" if key else str(name))


def digest_of(plain: dict[str, Any]) -> str:
    """Return the digest of a configuration, its own left out."""
    rest = {key: value for key, value in plain.items() if key != "digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def file_facts(content: bytes) -> FileFacts:
    """Return size and digest of a file."""
    return FileFacts(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def read_config(folder: Path) -> Entry:
    """Read the ``config.json`` of an entry; its other files are not read.

    Raises:
        SemveilError: If it is missing, damaged, altered or of another format.
    """
    path = folder / CONFIG
    missing = f"{folder} is no zoo entry: there is no {CONFIG} in it; remove or restore it"
    plain = read_facts(path, FormatFacts, missing)
    if plain["format"] != FORMAT:
        raise SemveilError(
            f"{path}: format {plain['format']}; this version of semveil reads format {FORMAT}: "
            "install the version that the entry was made for"
        )
    facts = check_facts(plain, EntryFacts, path)
    if digest_of(plain) != facts.digest:
        raise SemveilError(f"{path} is altered: its digest is of another content; get it again")
    if facts.files.keys() != set(FILES) - {CONFIG}:
        raise SemveilError(f"{path} is damaged: files: expected {', '.join(FILES[1:])}")
    for key, text in texts(plain, ""):
        if not text.isprintable():
            raise SemveilError(f"{path} is damaged: {shown(key)}: its text has control characters")
    refuse_missing(facts.run.packages, path)
    return Entry(folder, facts, plain["run"])


def read_entry(folder: Path, name: str | None = None) -> Entry:
    """Read an entry and check all of its files.

    Args:
        folder: Its folder.
        name: The name that it must have; any if None.

    Raises:
        SemveilError: If a file is missing, altered, pickled or does not belong there, or the entry
            is of another format or name.
    """
    entry = read_config(folder)
    if name is not None and entry.facts.name != name:
        raise SemveilError(f"{folder} is not {name}: its {CONFIG} says {shown(entry.facts.name)}")
    there = refuse_others(folder, FILES, "a zoo entry", MODEL)
    for file in FILES[1:]:
        if file not in there:
            raise SemveilError(f"{folder} is incomplete: {file} is missing; get the entry again")
        _check_file(folder / file, entry.facts.files[file])
    return entry


def refuse_others(folder: Path, known: Collection[str], what: str, weights: str) -> set[str]:
    """Refuse files of a folder that do not belong there, pickled ones above all.

    Args:
        folder: The folder.
        known: Names that may be there.
        what: What the folder is, for errors.
        weights: Name of the file that holds its weights.

    Returns:
        The names that are there.

    Raises:
        SemveilError: If there are others, or the folder cannot be read.
    """
    try:
        there = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise SemveilError(f"cannot read {folder}: {error.strerror}") from None
    for file in sorted(there - set(known)):
        why = f"does not belong to {what}: remove it"
        if Path(file).suffix in _PICKLED:
            why = (
                f"is not read: weights are {weights} alone, and pickled ones are refused; remove it"
            )
        raise SemveilError(f"{folder / file} {why}")
    return there


def read_tensor_file(path: Path) -> bytes:
    """Return the content of a file of safetensors, of which nothing but its beginning is checked.

    Raises:
        SemveilError: If it cannot be read, is too large, or is pickled.
    """
    content = _read(path)
    # A file of safetensors begins with the length of its header, which may begin in the same way.
    if content.startswith(_PICKLES) and content[8:9] != b"{":
        raise SemveilError(f"{path} is pickled, and pickled weights are refused: get it again")
    return content


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise SemveilError(f"cannot read {path}: {error.strerror or error}") from None


def _check_file(path: Path, stated: FileFacts) -> None:
    content = read_tensor_file(path) if path.name == MODEL else _read(path)
    if file_facts(content) != stated:
        raise SemveilError(f"{path} is altered: its SHA-256 is not that of {CONFIG}; get it again")
    if path.name == CARD and not _is_text(content):
        raise SemveilError(f"{path} is damaged: not plain text in UTF-8; get it again")


def _is_text(content: bytes) -> bool:
    try:
        return all(line.isprintable() for line in content.decode().split("\n"))
    except UnicodeDecodeError:
        return False


def entry_at(where: str | Path) -> Entry | None:
    """Return the entry that a name or a folder means, checked; None if it means something else.

    A folder that has the name of an entry counts only if it holds a run or an entry.

    Args:
        where: Name of an entry, folder of one, or anything else, such as the folder of a run.

    Raises:
        SemveilError: If the entry is damaged, a name is that of no entry and resembles one, or a
            folder cannot be read.
    """
    if not isinstance(where, str | Path):
        raise SemveilError(
            f"expected a folder or the name of a zoo entry, not {shown(repr(where))}"
        )
    path, text = Path(where), str(where)
    try:
        if (path / "run.json").exists():
            return None
        if (path / CONFIG).exists():
            return read_entry(path)
        there = path.exists()
    except OSError as error:
        raise SemveilError(f"cannot read {shown(text)}: {error.strerror}") from None
    if not is_name(text):
        return None
    names = known()
    if there and text not in names:
        return None
    sets = {name.partition("/")[0] for name in names}
    if text.partition("/")[0] not in sets and not difflib.get_close_matches(text, names, 1, 0.75):
        return None
    return read_entry(find(text), text)
