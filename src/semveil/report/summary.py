"""One row per system: what Bob gets, what each Eve gets, and the verdict under a stated rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby, product
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.metrics import MAIN, METRICS, ImageMetric, metric_of
from semveil.records import Estimate, Record
from semveil.report.attack_rows import floor_line
from semveil.report.looks import PARTIES
from semveil.report.select import (
    SETTING,
    first,
    floor,
    frame,
    home_snr,
    paired,
    pooled,
    present,
    strongest,
    titles,
    where,
)
from semveil.report.table import ABSENT, Cell, Column, Line, Table, heading, signed, to_rich

if TYPE_CHECKING:
    import rich.table


class Verdict(StrEnum):
    """How the strongest Eve stands to Bob, to chance, and to herself without protection."""

    NONE = "no protection"
    PARTIAL = "partial"
    CHANCE = "at chance"
    LEAK = "above chance"
    BROKEN = "both at chance"
    FAILS = "not judged: Eve fails without protection too"
    SAME = "not judged: Eve gets no more without protection"
    ALONE = "not judged: no unprotected reference"
    FEW = "not judged: too few images"
    UNPROTECTED = "unprotected"
    UNTESTED = "not tested"


RULES = {
    Verdict.NONE: "The intervals of Bob and of the strongest Eve overlap, or she is ahead.",
    Verdict.PARTIAL: "Her interval lies below Bob’s and above chance, and below that of the "
    "strongest Eve on the unprotected reference of the same run, if there is one.",
    Verdict.CHANCE: "Her interval reaches chance and ends within a tenth of the way from chance to "
    "what the strongest Eve gets from the unprotected reference of the same run.",
    Verdict.LEAK: "Her interval lies above chance; Bob has no such figure to compare with.",
    Verdict.BROKEN: "Both intervals reach chance: the link itself does not work.",
    Verdict.FAILS: "Her interval reaches chance, and on the unprotected reference it does as well.",
    Verdict.SAME: "Her interval lies below Bob’s, but not below that of the strongest Eve on the "
    "unprotected reference.",
    Verdict.ALONE: "Her interval reaches chance, and no unprotected reference was measured with "
    "the same settings: nothing shows that she can succeed.",
    Verdict.FEW: "Her interval reaches chance, and also Bob’s, or more than a tenth of the way "
    "from chance to what she gets without protection.",
    Verdict.UNPROTECTED: "The link has no protection, so there is none to judge.",
    Verdict.UNTESTED: "No fresh Eve was tested, or there is nothing to compare with.",
}
TONES = {
    Verdict.NONE: "bad",
    Verdict.LEAK: "mixed",
    Verdict.PARTIAL: "mixed",
    Verdict.CHANCE: "good",
    Verdict.BROKEN: "mixed",
    Verdict.FAILS: "unknown",
    Verdict.SAME: "unknown",
    Verdict.ALONE: "unknown",
    Verdict.FEW: "unknown",
    Verdict.UNPROTECTED: "unknown",
    Verdict.UNTESTED: "unknown",
}
LIMITS = {
    "key": "What rests on a key ends with the key: whoever has it reads what Bob reads.",
    "channel": "What rests on Eve’s worse channel ends where she comes closer.",
    "knowledge": "What rests on Eve’s knowledge is no security: she can learn more.",
    "task": "What rests on another task protects that task alone: Eve may want something else.",
}
"""What a protection of each kind rests on, by asymmetry."""
PROTOCOLS = ("paper", "adaptive")
UNPROTECTED = "unprotected"
"""Metric of the record, and name of the control, that says that nothing protects a system."""
_NEAR = 0.1  # of the way from chance to what Eve gets without protection


@dataclass(frozen=True)
class Row:
    """One system under one condition."""

    condition: Mapping[str, Any]  # what rows are grouped by
    system: str
    title: str  # the system in words
    scheme: str
    control: bool
    psr_db: float | None
    asymmetry: str | None
    snr_db: float | None
    target: str  # what Eve guesses; "label" is Bob's own task
    # By party ("bob", "paper", "adaptive") and metric; of Eves, the strongest's.
    figures: Mapping[tuple[str, str], Estimate]
    eves: Mapping[tuple[str, str], str]  # her architecture
    floors: Mapping[tuple[str, str], float]
    seeds: tuple[int, ...]
    tried: int  # how many fresh Eves competed
    # The strongest Eve's figure, if a fresh one was tried, by her SNR in dB and metric.
    levels: Mapping[tuple[float, str], Estimate]
    tests: Mapping[str, int]  # by metric: how many figures of fresh Eves the best was taken from
    notes: tuple[str, ...]  # what weakens the evidence
    unprotected: bool
    reference: Row | None = None  # the unprotected system of the same run

    @property
    def name(self) -> str:
        """The system with its PSR, and Eve's target where it is not Bob's."""
        gap = "\N{NO-BREAK SPACE}"
        psr = f", PSR{gap}{signed(self.psr_db)}{gap}dB" if self.psr_db is not None else ""
        return self.title + psr + ("" if self.target == "label" else f": {self.target}")

    @property
    def place(self) -> str:
        """The SNR of the comparison, where it is not the one that Bob was trained at."""
        if self.snr_db is None or self.snr_db == self.condition["train_snr_db"]:
            return ""
        return f"at {signed(self.snr_db)} dB"

    def at(self, party: str, metric: str = MAIN["label"]) -> Estimate | None:
        """Return a party's figure; None if it was not measured."""
        return self.figures.get((party, metric))

    @property
    def comparable(self) -> bool:
        """Whether there is an accuracy of Bob's and one of an Eve's."""
        return bool(self.at("bob") and (self.at("adaptive") or self.at("paper")))

    def strongest(self, metric: str) -> Estimate | None:
        """Return the strongest Eve's, if fresh ones were tried: others alone prove nothing."""
        fresh, paper = self.at("adaptive", metric), self.at("paper", metric)
        if fresh is None or paper is None:
            return fresh
        better = max if metric_of(metric).higher_is_better else min
        return better(fresh, paper, key=lambda found: found.value)

    @property
    def label(self) -> Verdict:
        """The verdict on what Eve guesses, at the SNR of the comparison."""
        return self.verdict("label")

    @property
    def image(self) -> Verdict:
        """The verdict on the image."""
        return self.verdict("image")

    def verdict(self, goal: str, snr_db: float | None = None) -> Verdict:
        """Return the verdict on one goal of Eve, at one of her SNRs."""
        metric = MAIN[goal]
        shared = goal == "image" or self.target == "label"
        level = self.snr_db if snr_db is None else snr_db
        eve = self.strongest(metric) if level is None else self.levels.get((level, metric))
        other = None
        if self.reference is not None and level is not None:
            other = self.reference.levels.get((level, metric))
        return judge(
            self.at("bob", metric) if shared else None,
            eve,
            self.floors.get(("adaptive", metric)),
            other,
            self.tests.get(metric, 1),
            self.unprotected,
        )

    def verdicts(self) -> list[tuple[float, Verdict, Verdict]]:
        """Return the verdicts on label and image at each SNR of Eve, dB."""
        return [
            (level, self.verdict("label", level), self.verdict("image", level))
            for level in sorted({level for level, _ in self.levels})
        ]

    @property
    def weaker(self) -> list[tuple[float, Estimate]]:
        """The strongest Eve's accuracy at each SNR below that of the comparison, dB."""
        return [
            (level, found)
            for (level, metric), found in sorted(self.levels.items())
            if metric == MAIN["label"] and self.snr_db is not None and level < self.snr_db
        ]

    @property
    def stronger(self) -> tuple[float, Estimate, Verdict] | None:
        """Eve's highest SNR above that of the comparison, dB, what she gets there, and how it is.

        None where she was not tried above it.
        """
        above = [
            (level, found)
            for (level, metric), found in sorted(self.levels.items(), key=lambda item: item[0])
            if metric == MAIN["label"] and self.snr_db is not None and level > self.snr_db
        ]
        return (*above[-1], self.verdict("label", above[-1][0])) if above else None


def judge(
    bob: Estimate | None,
    eve: Estimate | None,
    chance: float | None,
    reference: Estimate | None = None,
    tests: int = 1,
    unprotected: bool = False,
) -> Verdict:
    """Return the verdict on one goal of Eve, under `RULES`.

    Args:
        bob: Bob's figure; None if he has none of the kind.
        eve: The strongest Eve's.
        chance: What guessing reaches.
        reference: The strongest Eve's on the unprotected reference at the same SNR.
        tests: How many figures hers is the best of; intervals are widened for it.
        unprotected: Whether nothing protects the link.
    """
    if eve is None or (bob is None and chance is None):
        return Verdict.UNTESTED
    if unprotected:
        return Verdict.UNPROTECTED
    eve, bob = widened(eve, tests), bob and widened(bob, tests)
    reference = reference and widened(reference, tests)
    guesses = chance is not None and eve.low <= chance
    if bob is not None and chance is not None and bob.low <= chance and guesses:
        return Verdict.BROKEN
    if bob is not None and eve.high >= bob.low:
        return Verdict.FEW if guesses else Verdict.NONE
    if chance is not None and guesses:
        if reference is None:
            return Verdict.ALONE
        if reference.low <= chance:
            return Verdict.FAILS
        near = chance + _NEAR * (reference.value - chance)
        return Verdict.CHANCE if eve.high <= near else Verdict.FEW
    if bob is None:
        return Verdict.LEAK
    return Verdict.SAME if reference and eve.high >= reference.low else Verdict.PARTIAL


def widened(found: Estimate, tests: int) -> Estimate:
    """Return a figure with the interval that holds for the best of several (Bonferroni).

    Example:
        >>> widened(Estimate(0.5, 0.4, 0.6, 96), 18).low < 0.35
        True
    """
    if tests <= 1:
        return found
    normal = NormalDist()
    factor = normal.inv_cdf(1 - 0.025 / tests) / normal.inv_cdf(0.975)
    low, high = (found.value + factor * (end - found.value) for end in (found.low, found.high))
    return Estimate(found.value, low, high, found.n)


def shown_metrics(table: pd.DataFrame) -> list[str]:
    """Return the metrics of Bob and the Eves that are shown: accuracy, and those of images."""
    measured = set(where(table[table["role"].isin(["bob", "eve"])])["metric"])
    known = [MAIN["label"], *(n for n, kind in METRICS.items() if issubclass(kind, ImageMetric))]
    return [name for name in known if name in measured]


def rows(table: pd.DataFrame) -> list[Row]:
    """Sum up a frame of records, one row per system, condition and target of Eve's guess."""
    table = paired(table)
    metrics = shown_metrics(table)
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db"]
    # Bob under attack is another figure than Bob.
    of_eve, of_bob = table["role"] == "eve", (table["role"] == "bob") & table["adversary"].isna()
    parties = table[table["role"].isin(["bob", "eve"])]
    found: list[Row] = []
    for values, group in parties.groupby(keys, dropna=False, sort=False):
        condition = dict(zip(keys, values, strict=True))
        for label, system in group.groupby("system", sort=False):
            clean = system[(of_bob | of_eve)[system.index]]
            powers = sorted(clean["psr_db"].dropna().unique()) or [None]
            for psr_db in powers:
                # Figures without a PSR belong to each of them.
                part = clean[clean["psr_db"].isna() | (clean["psr_db"] == psr_db)]
                context = {**condition, "system": label}
                found += _rows(table, metrics, context, system if part.empty else part, psr_db)
    return [replace(row, reference=_reference(row, found)) for row in found]


def _reference(row: Row, others: Iterable[Row]) -> Row | None:
    """Return the unprotected system of the same setting, of the same dimension if there is one."""
    keys = [key for key in row.condition if key != "latent_dim"]
    same = [
        each
        for each in others
        if each.unprotected
        and (not each.control or each.system.endswith(f"/{UNPROTECTED}"))
        and each.target == row.target
        and all(str(each.condition[key]) == str(row.condition[key]) for key in keys)
    ]
    dimension = str(row.condition["latent_dim"])
    exact = [each for each in same if str(each.condition["latent_dim"]) == dimension]
    return next(iter([*exact, *same]), None)


def _rows(
    table: pd.DataFrame,
    metrics: Iterable[str],
    context: dict[str, Any],
    system: pd.DataFrame,
    psr_db: float | None,
) -> Iterable[Row]:
    bob, eves = where(system, role="bob"), strongest(system)
    bob = bob[bob["adversary"].isna()]
    snr_db = home_snr(bob, eves)
    here = pd.concat([where(bob, test_snr_db=snr_db), where(eves, test_snr_db=snr_db)])
    accuracy, asymmetries = MAIN["label"], system["asymmetry"].dropna().unique()
    guessed = where(here, role="eve", metric=accuracy)["target"].dropna().unique()
    for target in list(guessed) or ["label"]:
        figures: dict[tuple[str, str], Estimate] = {}
        who: dict[tuple[str, str], str] = {}
        floors: dict[tuple[str, str], float] = {}
        for party, metric in product(PARTIES, metrics):
            wanted = metric_of(metric).target
            if party != "bob" and wanted == "label":
                wanted = str(target)
            role: dict[str, Any] = {"role": "bob"}
            if party != "bob":
                role = {"role": "eve", "protocol": party}
            mine = where(here, metric=metric, **role)
            mine = mine[mine["target"].isna() | (mine["target"] == wanted)]
            row = first(mine)
            if row is not None:
                figures[party, metric] = pooled(mine)
                if party != "bob" and not pd.isna(row["adversary"]):
                    who[party, metric] = str(row["adversary"])
            known = floor(table, metric, **{**context, "target": wanted})
            if known is not None:
                floors[party, metric] = known
        fresh = where(system, role="eve", protocol="adaptive")
        mine = fresh[fresh["target"].isin([target, "image"]) & fresh["value"].notna()]
        here_fresh = where(mine, test_snr_db=snr_db)
        tried = where(here_fresh, target=target)["adversary"].nunique()
        tests = {
            metric: len(where(mine, metric=metric)[["adversary", "test_snr_db"]].drop_duplicates())
            for metric in MAIN.values()
        }
        seeds = tuple(sorted(int(seed) for seed in system["seed"].unique()))
        yield Row(
            condition={key: value for key, value in context.items() if key != "system"},
            system=str(context["system"]),
            title=titles(system)[str(context["system"])],
            scheme=str(system["scheme"].iloc[0]),
            control=bool(system["control"].notna().any()),
            psr_db=psr_db,
            asymmetry=str(asymmetries[0]) if len(asymmetries) else None,
            snr_db=snr_db,
            target=str(target),
            figures=figures,
            eves=who,
            floors=floors,
            seeds=seeds,
            tried=tried,
            levels=_levels(eves, str(target)),
            tests=tests,
            notes=_notes(tried, figures),
            unprotected=not len(asymmetries) or _states_no_protection(table, context),
        )


def _states_no_protection(table: pd.DataFrame, context: Mapping[str, Any]) -> bool:
    where_from = {key: context[key] for key in ("run", "system") if key in context}
    return not where(table, role="system", metric=UNPROTECTED, **where_from).empty


def _levels(eves: pd.DataFrame, target: str) -> dict[tuple[float, str], Estimate]:
    """Return the stronger Eve of both protocols at each SNR at which a fresh one was tried."""
    found = {}
    for goal, metric in MAIN.items():
        wanted = "image" if goal == "image" else target
        mine = where(eves, metric=metric)
        mine = mine[mine["target"].isna() | (mine["target"] == wanted)]
        for level in where(mine, protocol="adaptive")["test_snr_db"].dropna().unique():
            here = where(mine, test_snr_db=level)
            known = [
                pooled(part)
                for protocol in PROTOCOLS
                if not (part := where(here, protocol=protocol)).empty
            ]
            found[float(level), metric] = max(known, key=lambda each: each.value)
    return found


def _notes(tried: int, figures: Mapping[tuple[str, str], Estimate]) -> tuple[str, ...]:
    notes = []
    if 0 < tried < 3:
        notes.append(f"only {tried} fresh Eve{'s' * (tried > 1)} tried, not 3")
    paper, fresh = (figures.get((party, MAIN["label"])) for party in ("paper", "adaptive"))
    if paper is not None and fresh is not None and paper.low > fresh.high:
        notes.append(
            "the Eve of the paper’s training beats every fresh one: "
            "the fresh ones were not trained to the end"
        )
    return tuple(notes)


def summary(found: Iterable[Row], *, every_metric: bool = True) -> Table:
    """Return the table of what each party gets at Bob's SNR."""
    found = list(found)
    shown, columns = shown_columns(found, every_metric)
    groups = []
    # By its words, since a missing value (NaN) would not equal itself.
    for _, members in groupby(found, key=lambda row: str(row.condition)):
        group = list(members)
        lines = [line_of(row, shown) for row in group]
        for target in dict.fromkeys(row.target for row in group):
            floors = {k: v for row in group if row.target == target for k, v in row.floors.items()}
            name = "chance" if target == "label" else f"chance: {target}"
            line = floor_line(name, [(metric, floors.get((p, metric))) for p, metric in shown])
            lines.append(Line(name, [Cell(), *line.cells, Cell(), Cell()], faint=True))
        groups.append((_title(group), lines))
    return Table(
        "Table of results",
        columns,
        groups,
        "All at Bob’s SNR. Small figures: 95 % intervals, the strongest Eve’s architecture. "
        "chance: the most frequent class, and the best image that does not depend on the signal. "
        + about_verdicts(found),
    )


def shown_columns(
    found: Sequence[Row], every_metric: bool
) -> tuple[list[tuple[str, str]], list[Column]]:
    """Return the parties and metrics that a table shows, and all its columns."""
    measured = dict.fromkeys(metric for row in found for _, metric in row.figures)
    images = [name for name in measured if metric_of(name).target == "image"]
    if not every_metric:
        images = [name for name in images if name == MAIN["image"]]
    both = [MAIN["label"], *images]
    shown = [("bob", metric) for metric in both] + [("paper", MAIN["label"])]
    shown += [("adaptive", metric) for metric in both]
    return shown, [
        Column("system"),
        Column("asymmetry"),
        *(Column(metric_of(name).label, PARTIES[party], metric_of(name)) for party, name in shown),
        Column("label", "verdict"),
        Column("image", "verdict"),
    ]


def _title(group: Sequence[Row]) -> str:
    """Return the circumstances of a group of rows, with their seeds."""
    seeds = sorted({seed for row in group for seed in row.seeds})
    named = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    return f"{heading(group[0].condition.items())} · {named}"


def about_verdicts(found: Sequence[Row]) -> str:
    """Return what holds of all verdicts: their correction, and their seeds."""
    several = [row for row in found if len(row.seeds) > 1]
    seeds = (
        "Over several seeds: their mean; intervals span seeds and images."
        if several
        else "One seed: intervals do not cover how a training turns out."
    )
    return f"Verdicts widen intervals for the best of several tests (Bonferroni). {seeds}"


def by_snr(found: Iterable[Row], *, different: bool = False) -> Table:
    """Return the table of verdicts at each SNR of Eve, or only where they are not Bob's SNR's."""
    metrics = [MAIN["label"], MAIN["image"]]
    columns = [Column("system")]
    columns += [Column(metric_of(name).label, "strongest Eve", metric_of(name)) for name in metrics]
    columns += [Column("label", "verdict"), Column("image", "verdict")]
    groups = []
    for _, members in groupby(found, key=lambda row: str(row.condition)):
        group, lines = list(members), []
        for row in group:
            for level, label, image in row.verdicts():
                if different and (label, image) == (row.label, row.image):
                    continue
                cells = [Cell(row.levels.get((level, name))) for name in metrics]
                cells += [Cell(words=each.value, tone=TONES[each]) for each in (label, image)]
                lines.append(Line(row.name, cells, f"Eve at {signed(level)} dB", row.control))
        if lines:
            groups.append((_title(group), lines))
    return Table("Verdicts by SNR", columns, groups, "Bob at his own SNR, Eve at each of hers.")


def line_of(row: Row, shown: Iterable[tuple[str, str]]) -> Line:
    """Return a row as a line of a table of these parties and metrics."""
    cells = [
        Cell(row.at(*key), notes=(row.eves[key].split("/")[-1],) if key in row.eves else ())
        for key in shown
    ]
    verdicts = [
        Cell(words=verdict.value, tone=TONES[verdict], notes=notes)
        for verdict, notes in (
            (row.label, (*_best_of(row, "label"), *row.notes)),
            (row.image, _best_of(row, "image")),
        )
    ]
    asymmetry = Cell(words=row.asymmetry or ABSENT)
    return Line(row.name, [asymmetry, *cells, *verdicts], row.place, row.control)


def _best_of(row: Row, goal: str) -> tuple[str, ...]:
    tests = row.tests[MAIN[goal]]
    return (f"best of {tests} tests",) if tests > 1 else ()


def summary_table(records: Iterable[Record]) -> rich.table.Table:
    """Return the summary of a run for the terminal, at most 100 columns wide."""
    found = rows(frame(records))
    table = to_rich(summary(found, every_metric=False))
    further = by_snr(found, different=True)
    if further.groups:
        table.add_row("Verdicts at Eve's other SNRs, where they differ")
        table.add_row(to_rich(further))
    table.caption = (
        "± half of the 95 % interval, all at Bob's SNR. chance: without the signal. "
        + about_verdicts(found)
    )
    return table
