"""Entries of the leaderboard: what ``entry.yaml`` states, and strict reading. Knows no torch.

An entry is a folder of the board, named as the entry: a link, a defence or an attack. Nothing in it
is code, and nothing of it is executed.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from semveil import strict_yaml
from semveil.errors import SemveilError, SemveilWarning, shown, unknown
from semveil.facts import About, check_facts, read_facts
from semveil.files import new_folder
from semveil.flags import FLAGS, admissions
from semveil.records import Record, read_records, short_line
from semveil.zoo.entry import Entry as ZooEntry
from semveil.zoo.entry import SnrDb, Value, file_facts, read_entry, read_tensor_file, refuse_others
from semveil.zoo.places import CONFIG, Digest, find

STATED, TENSORS, MODEL = "entry.yaml", "attack.safetensors", "model"
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
RECORDS, RUN, OLD = "records.jsonl", "run.json", "superseded"
# Numbers of weights are below.
_MOST = 1e15
_NAME = "^[a-z0-9][a-z0-9-]{1,63}$"


def _not_the_index(name: str) -> str:
    if name == "index":
        raise ValueError("index is the name of the page of all entries; choose another")
    return name


Name = Annotated[str, Field(pattern=_NAME), AfterValidator(_not_the_index)]
Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
Track = Literal["task-privacy", "image-privacy", "robustness", "both"]
Licence = Literal[
    "Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0"
]


def _known_flag(name: str) -> str:
    if f"flag_{name}" not in FLAGS:
        raise ValueError(f"no flag; there are {', '.join(each[5:] for each in FLAGS)}")
    return name


FlagName = Annotated[str, AfterValidator(_known_flag)]


class Stated(BaseModel):
    """Keys with values of exactly their types, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Claim(Stated):
    """A figure that the authors report; what the project measures stands beside it.

    Attributes:
        party: Whose figure it is.
        metric: Its metric, as in records.
        value: The number, in the unit of records: 0.95 for 95 %.
        snr_db: SNR of the party, dB.
        where: Where it is reported.
    """

    party: Literal["bob", "eve"]
    metric: Literal["accuracy", "psnr_db", "ssim"]
    value: Value
    snr_db: SnrDb
    where: Text


class ModelFile(Stated):
    """The weights of an entry: a link of the zoo by its name, or the folder ``model``.

    Attributes:
        zoo: Name of the zoo entry; None if the weights lie in ``model/``, packed as the zoo does.
        sha256: SHA-256 of its ``config.json``, which holds the digests of the other files.
    """

    zoo: str | None = None
    sha256: Digest


class GraphFiles(Stated):
    """Graphs in ONNX, ``model/encoder.onnx`` and ``model/decoder.onnx``.

    Attributes:
        encoder: SHA-256 of the encoder.
        decoder: SHA-256 of the decoder.
    """

    encoder: Digest
    decoder: Digest

    @property
    def sha256(self) -> str:
        """Digest of both."""
        return hashlib.sha256(f"{self.encoder} {self.decoder}".encode()).hexdigest()


class AttackFile(Stated):
    """The file ``attack.safetensors``.

    Attributes:
        sha256: Its SHA-256.
    """

    sha256: Digest


class Common(Stated):
    """What every entry states.

    Attributes:
        name: Its name, that of its folder.
        authors: Who made it.
        paper: Where it is published; null if it is not.
        licence: Licence of its files, an SPDX identifier.
        data: Data set.
        channel: Fading and CSI, as records name them.
        snr_db: SNR that it is scored at, dB.
        threat_model: Who knows what, in a sentence or two.
        claims: What the authors report.
        flags: Admission flags that the authors know of.
        supersedes: Name of an entry that it replaces; null if there is none.
    """

    name: Name
    authors: Annotated[list[Text], Field(min_length=1)]
    paper: Text | None
    licence: Licence
    data: Text
    channel: Text
    snr_db: Annotated[float, Field(ge=-50, le=100)]
    threat_model: Text
    claims: list[Claim] = []
    flags: list[FlagName] = []
    supersedes: Name | None = None


class LinkFacts(Common):
    """A link, or a defence: a link that protects something.

    Attributes:
        asymmetry: What protects it; null for a link.
        bandwidth_ratio: Channel uses per source real.
        tracks: Tables that it takes part in.
        model: Its weights.
    """

    kind: Literal["link", "defence"]
    asymmetry: Literal["task", "channel", "key", "knowledge"] | None
    bandwidth_ratio: Annotated[float, Field(gt=0)]
    tracks: Annotated[list[Track], Field(min_length=1)]
    model: ModelFile | GraphFiles


class AttackFacts(Common):
    """An attack on an entry.

    Attributes:
        against: Name of the entry that it attacks.
        aim: ``answer``: perturbations of what Bob receives. ``image``: reconstructions by Eve.
        psr_db: Budget of the perturbations, dB; null for reconstructions.
        file: Its tensors.
    """

    kind: Literal["attack"]
    against: Name
    aim: Literal["answer", "image"]
    psr_db: Annotated[float, Field(ge=-100, le=40)] | None = None
    file: AttackFile


_FACTS: TypeAdapter[LinkFacts | AttackFacts] = TypeAdapter(
    Annotated[LinkFacts | AttackFacts, Field(discriminator="kind")]
)


class ScoreFacts(About):
    """The ``run.json`` of an entry: what was scored, by what, when.

    Attributes:
        suite: Version of the suite.
        images: Digest of the fixed list of images.
        subject: Digest of the weights or tensors that were scored.
        records: SHA-256 of ``records.jsonl``.
        cpu_s: Processor time of the scoring, s.
    """

    suite: str
    images: Digest
    subject: Digest
    records: Digest
    cpu_s: Annotated[float, Field(ge=0)]
    version: str


@dataclass(frozen=True)
class Score:
    """Figures of an entry, and how they were made."""

    facts: ScoreFacts
    records: list[Record]


@dataclass(frozen=True)
class BoardEntry:
    """An entry whose files were checked.

    Attributes:
        folder: Its folder.
        facts: What its ``entry.yaml`` states.
    """

    folder: Path
    facts: LinkFacts | AttackFacts

    @property
    def name(self) -> str:
        """Its name."""
        return self.facts.name

    @property
    def subject(self) -> str:
        """Digest of its weights or tensors."""
        facts = self.facts
        return facts.model.sha256 if isinstance(facts, LinkFacts) else facts.file.sha256

    @cached_property
    def score(self) -> Score | None:
        """Its figures; None if it was not scored.

        Raises:
            SemveilError: If they are damaged, altered, or of other weights.
        """
        return _score(self.folder, self.subject)

    @cached_property
    def old_scores(self) -> list[Score]:
        """Figures that were superseded, the oldest first."""
        return [found for place in old_places(self.folder) if (found := _score(place, None))]


def old_places(folder: Path) -> list[Path]:
    """Return the folders of an entry's superseded figures, the oldest first."""
    places = [place for place in (folder / OLD).glob("*") if place.name.isdecimal()]
    return sorted(places, key=lambda place: int(place.name))


def read_board(board: Path) -> dict[str, BoardEntry]:
    """Return the entries of a board by name, each checked.

    Raises:
        SemveilError: If it is no folder, or an entry is not as it must be.
    """
    if not board.is_dir():
        raise SemveilError(f"there is no leaderboard {board}: name a folder of entries")
    folders = (path for path in sorted(board.iterdir()) if path.is_dir())
    found = {entry.name: entry for entry in map(read_board_entry, folders)}
    for entry in found.values():
        refuse_lost_names(entry, found)
    return found


def refuse_lost_names(entry: BoardEntry, board: Mapping[str, BoardEntry]) -> None:
    """Refuse an entry that names another one that is not there, or does not fit."""
    facts, where = entry.facts, entry.folder / STATED
    named = {"supersedes": facts.supersedes}
    if isinstance(facts, AttackFacts):
        named["against"] = facts.against
    for key, name in named.items():
        if name is None:
            continue
        others = [each for each in board if each != entry.name]
        if name not in others:
            raise SemveilError(f"{where}: {key}: {unknown('entry', name, others)}")
        other = board[name].facts
        # An attack is against a system, and replaces an attack; a system replaces a system.
        attack = key == "supersedes" and facts.kind == "attack"
        if other.data != facts.data or (other.kind == "attack") != attack:
            raise SemveilError(f"{where}: {key}: {name} is of other data or of another kind")
        if key == "against" and (other.channel, other.data) != (facts.channel, facts.data):
            raise SemveilError(f"{where}: channel: {name} is on {other.channel}")


def read_board_entry(folder: Path) -> BoardEntry:
    """Read an entry: its ``entry.yaml``, and that its files are those that it states.

    Args:
        folder: Its folder, in the folder of the board.

    Raises:
        SemveilError: If a key is missing or wrong, a file is missing, altered, pickled or does not
            belong there, or another entry has its name.
    """
    folder = Path(folder)
    path = folder / STATED
    if not folder.is_dir() or not path.exists():
        raise SemveilError(f"{folder} is no entry: there is no {STATED} in it")
    facts = check_stated(strict_yaml.read(path, str(path)), path)
    _refuse_other_name(folder, facts.name)
    if (folder / OLD).exists():
        known = {place.name for place in old_places(folder)}
        refuse_others(folder / OLD, known, "superseded figures", TENSORS)
        for place in old_places(folder):
            refuse_others(place, {RECORDS, RUN}, "superseded figures", TENSORS)
    if isinstance(facts, AttackFacts):
        refuse_others(folder, {STATED, TENSORS, RECORDS, RUN, OLD}, "an attack", TENSORS)
        _check_digest(folder / TENSORS, read_tensor_file(folder / TENSORS), facts.file.sha256)
        if (facts.psr_db is None) == (facts.aim == "answer"):
            raise SemveilError(f"{path}: psr_db: expected with the aim answer, and only there")
    else:
        model = facts.model
        own = {MODEL} if isinstance(model, GraphFiles) or model.zoo is None else set()
        refuse_others(folder, {STATED, RECORDS, RUN, OLD, *own}, "an entry", f"{MODEL}/")
        if isinstance(model, GraphFiles):
            refuse_others(folder / MODEL, {ENCODER, DECODER}, "graphs in ONNX", ENCODER)
            for file, digest in ((ENCODER, model.encoder), (DECODER, model.decoder)):
                path_of_graph = folder / MODEL / file
                _check_digest(path_of_graph, read_tensor_file(path_of_graph), digest)
        else:
            zoo_entry(folder, model)
        if (facts.asymmetry is None) == (facts.kind == "defence"):
            raise SemveilError(
                f"{path}: asymmetry: a defence names what protects it, and a link null"
            )
    return BoardEntry(folder, facts)


def zoo_entry(folder: Path, model: ModelFile) -> ZooEntry:
    """Return the weights of an entry, as the zoo packs them, checked."""
    name = model.zoo
    place = folder / MODEL if name is None else find(name)
    found = read_entry(place, name)
    _check_digest(place / CONFIG, (place / CONFIG).read_bytes(), model.sha256)
    return found


def check_stated(plain: object, path: Path) -> LinkFacts | AttackFacts:
    """Return what the ``entry.yaml`` at a path states.

    Raises:
        SemveilError: If a key is missing or wrong.
    """
    try:
        return _FACTS.validate_python(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # The first part of the place is the kind, by which pydantic chose.
        key = ".".join(map(str, first["loc"][1:])) or "kind"
        given = "" if first["type"] == "missing" else f" (got {shown(repr(first['input']), 60)})"
        raise SemveilError(f"{path}: {key}: {first['msg']}{given}") from None


def _refuse_other_name(folder: Path, name: str) -> None:
    if folder.resolve().name == name:
        return
    other = folder.parent / name
    if other.is_dir():
        raise SemveilError(
            f"{folder / STATED}: name: {other} is an entry of the name {name} already; two "
            "entries of one name are refused"
        )
    raise SemveilError(f"{folder / STATED}: name: {name} must be the name of its folder")


def _check_digest(path: Path, content: bytes, wanted: str, stated: str = STATED) -> None:
    found = file_facts(content).sha256
    if found != wanted:
        raise SemveilError(
            f"{path}: wrong digest: its SHA-256 is {found[:12]}…, and {stated} states "
            f"{wanted[:12]}…{'; score it again' if stated == RUN else ''}"
        )


def _score(folder: Path, subject: str | None) -> Score | None:
    records, run = folder / RECORDS, folder / RUN
    if not records.exists() and not run.exists():
        return None
    plain = read_facts(run, ScoreFacts, f"{folder} has {RECORDS} and no {RUN}: score it again")
    facts = check_facts(plain, ScoreFacts, run)
    if subject is not None and facts.subject != subject:
        raise SemveilError(f"{run}: scored with other weights than {STATED} states: score it again")
    found = read_records(records)
    _check_digest(records, records.read_bytes(), facts.records, RUN)
    _refuse_no_number(found, records)
    return Score(facts, found)


def _refuse_no_number(records: Iterable[Record], where: Path) -> None:
    """Refuse figures that no page can show; an Eve whose training diverged may have no value."""
    for number, each in enumerate(records, start=1):
        place = f"{where}, line {number}"
        if math.isnan(each.value) and each.role != "eve":
            raise SemveilError(f"{place}: {each.metric} has no value: score it again")
        for name, found in vars(each).items():
            if isinstance(found, int | float) and abs(found) > _MOST:
                raise SemveilError(f"{place}: {name} is more than {_MOST:g}: score it again")


def supersede(folder: Path) -> None:
    """Keep the figures of an entry among its superseded ones, before others replace them.

    No figures are kept twice. Damaged ones are not kept, with a warning: the page could not show
    them.
    """
    try:
        if _score(folder, None) is None:
            return
    except SemveilError as error:
        warnings.warn(f"{error}; these figures are not kept", SemveilWarning, stacklevel=2)
        return
    old = {name: (folder / name).read_bytes() for name in (RUN, RECORDS)}
    places = old_places(folder)
    if places and all((places[-1] / name).read_bytes() == body for name, body in old.items()):
        return
    number = int(places[-1].name) + 1 if places else 1
    new_folder(folder / OLD / f"{number}", old)


def raised_flags(records: Iterable[Record]) -> list[str]:
    """Return the names of the flags that records of an entry raise, without notes."""
    return [
        flag.metric.removeprefix("flag_")
        for found in admissions(records)
        for flag in found.raised
        if flag.severity != "note"
    ]


def write_score(
    facts: Mapping[str, object], records: list[Record], folder: Path
) -> dict[str, bytes]:
    """Return the files that hold figures of an entry, which are to be written into its folder."""
    _refuse_no_number(records, folder / RECORDS)
    lines = "".join(short_line(record) + "\n" for record in records).encode()
    stated = {**facts, "records": file_facts(lines).sha256}
    return {RECORDS: lines, RUN: (json.dumps(stated, indent=1) + "\n").encode()}
