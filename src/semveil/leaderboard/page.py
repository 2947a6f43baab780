"""The pages of the leaderboard: one of all entries, and one of each. Knows no torch."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.flags import FLAGS
from semveil.leaderboard.entry import (
    AttackFacts,
    BoardEntry,
    Claim,
    LinkFacts,
    Score,
    raised_flags,
    read_board,
    refuse_lost_names,
)
from semveil.metrics import MAIN, Metric, metric_of
from semveil.records import Estimate, Record, to_line
from semveil.report import figures
from semveil.report.page import Drawing, environment
from semveil.report.select import estimate_of, floor, frame, strongest, where
from semveil.report.table import ABSENT, interval, number, signed, with_interval

TRACKS = {
    "task-privacy": (
        "Task privacy",
        "Bob answers the task; Eve, trained anew, wants the same label. Higher is better for Bob, "
        "lower for Eve; chance is what she gets who receives nothing.",
    ),
    "image-privacy": (
        "Image privacy",
        "Eve, trained anew, reconstructs the image. Bob answers the task, reconstructs the image, "
        "or both.",
    ),
    "robustness": (
        "Robustness",
        "Mallory perturbs what Bob receives. Under attack is Bob’s accuracy, or the PSR of his "
        "images, under the strongest attack of the suite at the stated budget.",
    ),
    "both": ("Privacy and robustness", "Both at once: the same links, Eve and Mallory beside each "
             "other."),
}  # fmt: skip
_ACCURACY, _PSNR, _LEAST = metric_of(MAIN["label"]), metric_of(MAIN["image"]), "minimum_psr_db"


@dataclass(frozen=True)
class Cell:
    """A cell: what it shows, a second line, what it is sorted by, where it leads, its tone."""

    words: str = ABSENT
    note: str = ""
    sort: str = ""
    href: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Line:
    """A row; a faint one is superseded."""

    cells: Sequence[Cell]
    faint: bool = False


@dataclass(frozen=True)
class Grid:
    """A table: columns, and rows in groups that are equal in data, channel, SNR and bandwidth."""

    key: str
    title: str
    about: str
    columns: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Line]]]


def build(board: str | Path, out: str | Path) -> Path:
    """Write the pages of a board: ``index.html``, and ``NAME.html`` for every entry.

    They are made from the committed records alone, need nothing but themselves, and load nothing.

    Args:
        board: Folder of the entries.
        out: Folder to write into, made if it is missing.

    Returns:
        The first page.

    Raises:
        SemveilError: If an entry is refused, or a page cannot be written.
    """
    entries = read_board(Path(board))
    for entry in entries.values():
        refuse_lost_names(entry, entries)
    if not entries:
        raise SemveilError(f"{board} has no entries")
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SemveilError(f"cannot make {folder}: {error.strerror}") from None
    views = {name: View(entry, entries, entry.score) for name, entry in entries.items()}
    templates = environment()
    script = templates.get_template("sort.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    common = {"script": script, "digest": digest}
    templates.globals |= {"metric_of": metric_of, "with_interval": with_interval, "zip": zip}
    for name, view in views.items():
        page = templates.get_template("board_entry.html.j2").render(view=view, **common)
        write_atomic(folder / f"{name}.html", page)
    systems = [view for view in views.values() if view.facts.kind != "attack"]
    index = templates.get_template("board.html.j2").render(
        grids=_grids(systems),
        attacks=_attacks([view for view in views.values() if view.facts.kind == "attack"]),
        drawings=_drawings(systems),
        views=views,
        suites=sorted({view.suite for view in views.values() if view.suite}),
        **common,
    )
    write_atomic(folder / "index.html", index)
    return folder / "index.html"


@dataclass(frozen=True)
class View:
    """What the pages show of an entry, by one of its scores."""

    entry: BoardEntry
    board: Mapping[str, BoardEntry]
    score: Score | None

    @property
    def facts(self) -> LinkFacts | AttackFacts:
        """What it states."""
        return self.entry.facts

    @property
    def name(self) -> str:
        """Its name."""
        return self.entry.name

    @property
    def records(self) -> list[Record]:
        """Its figures."""
        return [] if self.score is None else self.score.records

    @property
    def compared(self) -> list[Record]:
        """Its figures, and those of an Eve who runs Bob's receiver where nothing protects.

        She has his channel and the published weights, and so gets what he gets. A suite that trains
        networks does not find her where a receiver decodes.
        """
        if not isinstance(self.facts, LinkFacts) or self.facts.asymmetry is not None:
            return self.records
        bob = [each for each in self.records if each.role == "bob" and each.adversary is None]
        hers = [
            replace(each, role="eve", adversary="Bob’s receiver", protocol="adaptive")
            for each in bob
        ]
        return self.records + hers

    @property
    def suite(self) -> str:
        """Version of the suite that scored it; empty if none did."""
        return "" if self.score is None else self.score.facts.suite

    @property
    def successor(self) -> str | None:
        """Name of the entry that supersedes it."""
        others = (each for each in self.board.values() if each.facts.supersedes == self.name)
        return next((each.name for each in others), None)

    @property
    def condition(self) -> str:
        """What entries must share to be compared."""
        facts = self.facts
        assert isinstance(facts, LinkFacts)
        level = f"SNR {signed(facts.snr_db)} dB · bandwidth ratio {facts.bandwidth_ratio:.3g}"
        return f"{facts.data} · {facts.channel} · {level}"

    @property
    def chance(self) -> str:
        """What is reached without a signal; empty if it was not measured."""
        found = floor(frame(self.records), _ACCURACY.name, target="label")
        return "" if found is None else f" · chance {_ACCURACY.format(found)} %"

    @property
    def flags(self) -> list[str]:
        """The flags that it raises, in words."""
        return [name.replace("_", " ") for name in raised_flags(self.records)]

    @property
    def flag_lines(self) -> list[str]:
        """What these flags mean."""
        return [FLAGS[f"flag_{name}"].says for name in raised_flags(self.records)]

    @property
    def attackers(self) -> list[View]:
        """The attacks that were entered against it."""
        return [
            View(each, self.board, each.score)
            for each in self.board.values()
            if isinstance(each.facts, AttackFacts) and each.facts.against == self.name
        ]

    def bob(self, metric: str) -> Estimate | None:
        """Return Bob's figure without an attack."""
        return self._first(role="bob", metric=metric, adversary=None)

    def eve(self, metric: str) -> tuple[Estimate, str] | None:
        """Return the strongest fresh Eve's figure at Bob's SNR, and who she is."""
        table = frame(self.compared)
        table = where(table, role="eve", metric=metric, protocol="adaptive")
        found = strongest(where(table, test_snr_db=self.facts.snr_db))
        if found.empty:
            return None
        return estimate_of(found.iloc[0]), str(found.iloc[0]["adversary"])

    def attacked(self) -> tuple[Estimate, Metric, str, float] | None:
        """Return Bob's figure under the strongest attack of the suite, what, whose and at what PSR.

        Jamming, the control, is none of them.
        """
        bob = [r for r in self.records if r.role == "bob" and r.adversary and r.psr_db is not None]
        for metric in (_ACCURACY, _PSNR):
            found = [r for r in bob if r.metric == metric.name and r.adversary != "jamming"]
            if found:
                worst = min(found, key=lambda record: record.value)
                assert worst.psr_db is not None
                return _estimate(worst), metric, str(worst.adversary), worst.psr_db
        return None

    def least(self) -> Estimate | None:
        """Return the minimum attack power, dB."""
        return self._first(role="bob", metric=_LEAST)

    def parameters(self) -> int | None:
        """Return the number of weights."""
        found = self._first(role="system", metric="parameters")
        return None if found is None else round(found.value)

    def outside(self, aim: str) -> tuple[View, Estimate, Metric] | None:
        """Return the strongest outside attack of an aim that was scored, and what it reaches."""
        found = [
            (each, *figure)
            for each in self.attackers
            if isinstance(each.facts, AttackFacts) and each.facts.aim == aim
            if (figure := each.reached())
        ]
        sign = 1 if aim == "answer" else -1
        return min(found, key=lambda one: sign * one[1].value, default=None)

    def reached(self) -> tuple[Estimate, Metric] | None:
        """Return what an attack reaches: Bob's figure under it, or Eve's PSNR."""
        mine = [record for record in self.records if record.adversary == self.name]
        for metric in (_ACCURACY, _PSNR):
            for record in mine:
                if record.metric == metric.name:
                    return _estimate(record), metric
        return None

    def control(self) -> Estimate | None:
        """Return Bob's figure under noise of the same energy as an attack."""
        return self._first(role="bob", adversary="jamming")

    def claimed(self, claim: Claim) -> tuple[Estimate | None, bool]:
        """Return what was measured of a claim, and whether the claim exceeds the interval."""
        found = self.bob(claim.metric) if claim.party == "bob" else None
        if claim.party == "eve" and (eve := self.eve(claim.metric)):
            found = eve[0]
        if found is None or claim.snr_db != self.facts.snr_db:
            return None, False
        missed = claim.value > found.high if claim.party == "bob" else claim.value < found.low
        return found, missed

    @property
    def figures(self) -> list[tuple[str, str, str, str]]:
        """Every figure of a party: whose, what, the value with its interval, the circumstances."""
        rows = []
        for each in self.records:
            if each.role == "system" or each.ci_low is None or "_p" in each.metric:
                continue
            metric, at = metric_of(each.metric), []
            if each.test_snr_db is not None:
                at.append(f"SNR {signed(each.test_snr_db)} dB")
            if each.psr_db is not None and each.role == "bob":
                at.append(f"PSR {signed(each.psr_db)} dB")
            who = f" ({each.adversary})" if each.adversary else ""
            rows.append(
                (
                    each.role.capitalize() + who,
                    metric.title,
                    with_interval(_estimate(each), metric),
                    ", ".join([*at, f"n = {each.n}"]),
                )
            )
        return rows

    @property
    def made(self) -> list[tuple[str, str]]:
        """How it was scored."""
        if self.score is None:
            return []
        facts = self.score.facts
        return [
            ("suite", facts.suite),
            ("semveil", facts.version),
            ("torch", facts.versions.get("torch", "unknown")),
            ("processor time (s)", f"{facts.cpu_s:g}"),
            ("digest of what was scored", facts.subject),
            ("digest of the list of images", facts.images),
        ]

    @property
    def older(self) -> list[View]:
        """The same by scores that later ones superseded."""
        return [View(self.entry, self.board, each) for each in self.entry.old_scores]

    @property
    def main(self) -> list[tuple[str, str]]:
        """The figures of the tables."""
        shown: list[tuple[str, str]] = []
        for metric in (_ACCURACY, _PSNR):
            if bob := self.bob(metric.name):
                shown.append((f"Bob, {metric.title}", with_interval(bob, metric)))
            if eve := self.eve(metric.name):
                words = f"{with_interval(eve[0], metric)}, {eve[1]}"
                shown.append((f"strongest Eve, {metric.title}", words))
        if hit := self.attacked():
            words = f"{with_interval(hit[0], hit[1])}, {hit[2]} at {signed(hit[3])} dB"
            shown.append((f"Bob under the strongest attack, {hit[1].title}", words))
        if least := self.least():
            shown.append(("minimum attack power", with_interval(least, metric_of(_LEAST))))
        if (weights := self.parameters()) is not None:
            shown.append(("parameters", f"{weights:,}"))
        return shown

    @property
    def download(self) -> str:
        """The records, as an address that holds them."""
        lines = "".join(to_line(record) + "\n" for record in self.records)
        return f"data:application/jsonl;base64,{base64.b64encode(lines.encode()).decode()}"

    def _first(self, **wanted: Any) -> Estimate | None:
        for record in self.records:
            if all(getattr(record, key) == value for key, value in wanted.items()):
                return _estimate(record)
        return None


def _estimate(record: Record) -> Estimate:
    value = record.value
    low = value if record.ci_low is None else record.ci_low
    high = value if record.ci_high is None else record.ci_high
    return Estimate(value, low, high, record.n)


def _figure(found: Estimate | None, metric: Metric, *notes: str) -> Cell:
    if found is None:
        return Cell()
    note = ", ".join(filter(None, [interval(found, metric), *notes]))
    return Cell(number(found, metric), note, f"{found.value:.6g}")


def _bob(view: View) -> Cell:
    found = view.bob(_ACCURACY.name)
    return _figure(found, _ACCURACY) if found else _figure(view.bob(_PSNR.name), _PSNR, "dB PSNR")


def _eve(view: View, metric: Metric) -> Cell:
    found = view.eve(metric.name)
    return Cell() if found is None else _figure(found[0], metric, found[1])


def _claimed(view: View, metric: Metric) -> Cell:
    for claim in view.facts.claims:
        if (claim.party, claim.metric) == ("bob", metric.name):
            _, missed = view.claimed(claim)
            words, note = metric.format(claim.value), "not reached" if missed else ""
            return Cell(words, note, f"{claim.value:.6g}", tone="bad" if missed else "")
    return Cell()


def _reported(view: View) -> Cell:
    found = _claimed(view, _ACCURACY)
    if found.sort:
        return found
    pictures = _claimed(view, _PSNR)
    return replace(pictures, note=f"dB PSNR {pictures.note}".strip()) if pictures.sort else found


def _attacked(view: View) -> Cell:
    hit = view.attacked()
    if hit is None:
        return Cell()
    unit = "" if hit[1] is _ACCURACY else "dB PSNR"
    return _figure(hit[0], hit[1], unit, f"{hit[2]} at {signed(hit[3])} dB")


def _outside(view: View, aim: str) -> Cell:
    found = view.outside(aim)
    if found is None:
        return Cell("none yet")
    attack, reached, metric = found
    facts = attack.facts
    assert isinstance(facts, AttackFacts)
    at = "" if facts.psr_db is None else f" at {signed(facts.psr_db)} dB"
    words = f"{number(reached, metric)} {metric.unit}"
    return Cell(words, attack.name + at, f"{reached.value:.6g}", f"{attack.name}.html")


def _weights(view: View) -> Cell:
    count = view.parameters()
    return Cell() if count is None else Cell(f"{count:,}", sort=str(count))


def _named(view: View) -> Cell:
    facts = view.facts
    note: str = facts.kind
    if isinstance(facts, LinkFacts) and facts.asymmetry:
        note += f", protected by {facts.asymmetry}"
    if view.successor:
        note += f"; superseded by {view.successor}"
    if view.score is None:
        note += "; not scored yet"
    return Cell(view.name, note, view.name, f"{view.name}.html")


def _flags(view: View) -> Cell:
    if view.score is None:
        return Cell()
    words = ", ".join(view.flags)
    return Cell(words or "none", sort=words, tone="mixed" if words else "")


_COLUMNS: dict[str, Callable[[View], Cell]] = {
    "reported: Bob’s accuracy (%)": _reported,
    "audited: Bob’s accuracy (%)": _bob,
    "strongest Eve’s accuracy (%)": lambda view: _eve(view, _ACCURACY),
    "strongest Eve’s PSNR (dB)": lambda view: _eve(view, _PSNR),
    "Bob under attack (%)": _attacked,
    "minimum attack power (dB)": lambda view: _figure(view.least(), metric_of(_LEAST)),
    "strongest outside attack": lambda view: _outside(view, "answer"),
    "strongest outside Eve": lambda view: _outside(view, "image"),
    "parameters": _weights,
    "flags": _flags,
}
_EVE_LABEL, _EVE_IMAGE, _UNDER, _POWER, _OUTSIDE, _OUTSIDE_EVE = list(_COLUMNS)[2:8]
_LEFT_OUT = {
    "task-privacy": {_EVE_IMAGE, _UNDER, _OUTSIDE_EVE},
    "image-privacy": {_EVE_LABEL, _UNDER, _POWER, _OUTSIDE},
    "robustness": {_EVE_LABEL, _EVE_IMAGE, _OUTSIDE_EVE},
    "both": {_EVE_IMAGE, _OUTSIDE_EVE},
}


def _grids(views: Sequence[View]) -> list[Grid]:
    """Return a table for each track that has entries."""
    found = []
    for track, (title, about) in TRACKS.items():
        own = [v for v in views if isinstance(v.facts, LinkFacts) and track in v.facts.tracks]
        columns = [name for name in _COLUMNS if name not in _LEFT_OUT[track]]
        groups: dict[str, list[View]] = {}
        for view in sorted(own, key=lambda view: (view.condition, bool(view.successor), view.name)):
            groups.setdefault(view.condition, []).append(view)
        lines = [
            (
                condition + max(view.chance for view in group),
                [Line([_named(v), *(_COLUMNS[name](v) for name in columns)], bool(v.successor))
                 for v in group],
            )
            for condition, group in groups.items()
        ]  # fmt: skip
        if lines:
            found.append(Grid(track, title, about, ["entry", *columns], lines))
    return found


def _attacks(views: Sequence[View]) -> Grid | None:
    """Return the table of attacks from outside."""
    if not views:
        return None
    lines = []
    for view in views:
        facts, reached = view.facts, view.reached()
        assert isinstance(facts, AttackFacts)
        metric = _ACCURACY if reached is None else reached[1]
        claims = [claim for claim in facts.claims if claim.metric == metric.name]
        lines.append(
            Line(
                [
                    _named(view),
                    Cell(facts.against, sort=facts.against, href=f"{facts.against}.html"),
                    Cell(metric.format(claims[0].value) if claims else ABSENT),
                    _figure(None if reached is None else reached[0], metric, metric.label),
                    _figure(view.control(), metric),
                    Cell() if facts.psr_db is None else Cell(signed(facts.psr_db)),
                    Cell(", ".join(facts.authors)),
                ],
                bool(view.successor),
            )
        )
    columns = ["attack", "against", "reported", "audited", "noise of the same energy",
               "budget (dB)", "authors"]  # fmt: skip
    about = (
        "Entered as tensors for the fixed list of images. Perturbations are scored as they are, in "
        "noise and under a key that they were not made for; reconstructions as they were handed in."
    )
    return Grid("attacks", "Attacks from outside", about, columns, [("all", lines)])


def _drawings(views: Iterable[View]) -> list[Drawing]:
    """Return privacy against utility, one panel for what may be compared."""
    records = [
        # Entries of one scheme are told apart by their names, panels by what must be equal.
        replace(
            record,
            study=view.condition.partition(record.channel)[2].lstrip(" ·"),
            scheme=view.name,
            train_snr_db=None,
            variant=None,
            control=None,
            training=None,
            params=None,
        )
        for view in views
        if not view.successor
        for record in view.compared
    ]
    if not records:
        return []
    table = frame(records)
    return [Drawing.of(figures.privacy_utility(table, frontier=True), "frontier")]
