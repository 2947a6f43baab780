"""One row per system: what Bob gets, what each Eve gets, and the verdict under a stated rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, product
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.metrics import MAIN, METRICS, ImageMetric, metric_of
from semveil.records import Estimate, Record
from semveil.report.attack_rows import floor_line
from semveil.report.looks import PARTIES
from semveil.report.select import (
    SETTING,
    estimate,
    estimate_of,
    first,
    floor,
    frame,
    home_snr,
    paired,
    present,
    strongest,
    where,
)
from semveil.report.table import ABSENT, Cell, Column, Line, Table, heading, signed, to_rich

if TYPE_CHECKING:
    import rich.table


class Verdict(StrEnum):
    """How the strongest Eve stands to Bob and to chance, at Bob's SNR."""

    NONE = "no protection"
    PARTIAL = "partial"
    CHANCE = "at chance"
    LEAK = "above chance"
    BROKEN = "both at chance"
    UNTESTED = "not tested"


RULES = {
    Verdict.NONE: "The 95 % intervals of Bob and of the strongest Eve overlap, or she is ahead.",
    Verdict.PARTIAL: "Her interval lies below Bob’s and above chance.",
    Verdict.CHANCE: "Her interval reaches chance.",
    Verdict.LEAK: "Her interval lies above chance; Bob has no such figure to compare with.",
    Verdict.BROKEN: "Both intervals reach chance: the link itself does not work.",
    Verdict.UNTESTED: "No fresh Eve was tested at Bob’s SNR, or there is nothing to compare with.",
}
TONES = {
    Verdict.NONE: "bad",
    Verdict.LEAK: "mixed",
    Verdict.PARTIAL: "mixed",
    Verdict.CHANCE: "good",
    Verdict.BROKEN: "mixed",
    Verdict.UNTESTED: "unknown",
}


@dataclass(frozen=True)
class Row:
    """One system under one condition."""

    condition: Mapping[str, Any]  # what rows are grouped by
    system: str
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
    tried: int  # how many fresh Eves competed
    weaker: tuple[tuple[float, Estimate], ...]  # the strongest fresh Eve's at each lower SNR, dB
    notes: tuple[str, ...]  # what weakens the evidence

    @property
    def name(self) -> str:
        """The system with its PSR, and Eve's target where it is not Bob's."""
        gap = "\N{NO-BREAK SPACE}"
        psr = f", PSR{gap}{signed(self.psr_db)}{gap}dB" if self.psr_db is not None else ""
        return self.system + psr + ("" if self.target == "label" else f": {self.target}")

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
        """The verdict on what Eve guesses."""
        return self._verdict(MAIN["label"], self.target == "label")

    @property
    def image(self) -> Verdict:
        """The verdict on the image."""
        return self._verdict(MAIN["image"], True)

    def _verdict(self, metric: str, shared: bool) -> Verdict:
        bob = self.at("bob", metric) if shared else None
        return judge(bob, self.strongest(metric), self.floors.get(("adaptive", metric)))


def judge(bob: Estimate | None, eve: Estimate | None, chance: float | None) -> Verdict:
    """Return the verdict on one goal of Eve, under `RULES`."""
    if eve is None or (bob is None and chance is None):
        return Verdict.UNTESTED
    guesses = chance is not None and eve.low <= chance
    if bob is not None and chance is not None and bob.low <= chance and guesses:
        return Verdict.BROKEN
    if bob is not None and eve.high >= bob.low:
        return Verdict.NONE
    if guesses:
        return Verdict.CHANCE
    return Verdict.LEAK if bob is None else Verdict.PARTIAL


def shown_metrics(table: pd.DataFrame) -> list[str]:
    """Return the metrics of Bob and the Eves that are shown: accuracy, and those of images."""
    measured = set(table.loc[table["role"].isin(["bob", "eve"]), "metric"])
    known = [MAIN["label"], *(n for n, kind in METRICS.items() if issubclass(kind, ImageMetric))]
    return [name for name in known if name in measured]


def rows(table: pd.DataFrame) -> list[Row]:
    """Sum up a frame of records, one row per system, condition and target of Eve's guess."""
    table = paired(table)
    metrics = shown_metrics(table)
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db", "seed"]
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
    return found


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
            role = {"role": "bob"} if party == "bob" else {"role": "eve", "protocol": party}
            mine = where(here, metric=metric, **role)
            row = first(mine[mine["target"].isna() | (mine["target"] == wanted)])
            if row is not None:
                figures[party, metric] = estimate_of(row)
                if party != "bob" and not pd.isna(row["adversary"]):
                    who[party, metric] = str(row["adversary"])
            known = floor(table, metric, **{**context, "target": wanted})
            if known is not None:
                floors[party, metric] = known
        fresh = where(system, role="eve", protocol="adaptive", target=target)
        tried = where(fresh, test_snr_db=snr_db).dropna(subset=["value"])["adversary"].nunique()
        yield Row(
            condition={key: value for key, value in context.items() if key != "system"},
            system=str(context["system"]),
            scheme=str(system["scheme"].iloc[0]),
            control=bool(system["control"].notna().any()),
            psr_db=psr_db,
            asymmetry=str(asymmetries[0]) if len(asymmetries) else None,
            snr_db=snr_db,
            target=str(target),
            figures=figures,
            eves=who,
            floors=floors,
            tried=tried,
            weaker=_weaker(where(eves, target=target), snr_db),
            notes=_notes(tried, figures),
        )


def _weaker(eves: pd.DataFrame, snr_db: float | None) -> tuple[tuple[float, Estimate], ...]:
    fresh = where(eves, metric=MAIN["label"], protocol="adaptive")
    levels = sorted(fresh["test_snr_db"].dropna().unique())
    below = [float(level) for level in levels if snr_db is not None and level < snr_db]
    found = ((level, estimate(fresh, test_snr_db=level)) for level in below)
    return tuple((level, number) for level, number in found if number is not None)


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
    measured = dict.fromkeys(metric for row in found for _, metric in row.figures)
    images = [name for name in measured if metric_of(name).target == "image"]
    if not every_metric:
        images = [name for name in images if name == MAIN["image"]]
    both = [MAIN["label"], *images]
    shown = [("bob", metric) for metric in both] + [("paper", MAIN["label"])]
    shown += [("adaptive", metric) for metric in both]
    columns = [
        Column("system"),
        Column("asymmetry"),
        *(Column(metric_of(name).label, PARTIES[party], metric_of(name)) for party, name in shown),
        Column("label", "verdict"),
        Column("image", "verdict"),
    ]
    groups = []
    # By its words, since a missing value (NaN) would not equal itself.
    for _, members in groupby(found, key=lambda row: str(row.condition)):
        group = list(members)
        lines = [_line(row, shown) for row in group]
        for target in dict.fromkeys(row.target for row in group):
            floors = {k: v for row in group if row.target == target for k, v in row.floors.items()}
            name = "chance" if target == "label" else f"chance: {target}"
            line = floor_line(name, [(metric, floors.get((p, metric))) for p, metric in shown])
            lines.append(Line(name, [Cell(), *line.cells, Cell(), Cell()], faint=True))
        groups.append((heading(group[0].condition.items()), lines))
    return Table(
        "Table of results",
        columns,
        groups,
        "All at Bob’s SNR. Small figures: 95 % intervals, the strongest Eve’s architecture. "
        "chance: the most frequent class, and the best image that does not depend on the signal.",
    )


def _line(row: Row, shown: Iterable[tuple[str, str]]) -> Line:
    cells = [
        Cell(row.at(*key), notes=(row.eves[key].split("/")[-1],) if key in row.eves else ())
        for key in shown
    ]
    verdicts = [
        Cell(words=verdict.value, tone=TONES[verdict], notes=notes)
        for verdict, notes in ((row.label, row.notes), (row.image, ()))
    ]
    asymmetry = Cell(words=row.asymmetry or ABSENT)
    return Line(row.name, [asymmetry, *cells, *verdicts], row.place, row.control)


def summary_table(records: Iterable[Record]) -> rich.table.Table:
    """Return the summary of a run for the terminal, at most 100 columns wide."""
    table = to_rich(summary(rows(frame(records)), every_metric=False))
    table.caption = "± half of the 95 % interval, all at Bob's SNR. chance: without the signal."
    return table
