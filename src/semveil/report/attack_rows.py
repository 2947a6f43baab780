"""Bob under attack: one row per system and attack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.metrics import MAIN, ImageMetric, metric_of
from semveil.records import Estimate, Record
from semveil.report.looks import NO_ATTACK, styles
from semveil.report.select import (
    SETTING,
    estimate,
    estimate_of,
    floor,
    frame,
    over_seeds,
    present,
    titles,
    where,
)
from semveil.report.table import Cell, Column, Line, Table, heading, signed, to_rich
from semveil.style import traits_of

if TYPE_CHECKING:
    import rich.table

NONE = "none"
# An attack that is aimed at the class of every image in turn.
EACH = "each class"
MOST_BUDGETS = 6  # in a table; figures show all
AIMED = ("accuracy_targeted", "accuracy_others", "misleading_rate")
REJECTED, UNDETECTED = "rejected_rate", "undetected_error_rate"
INAPPLICABLE = "does not apply"


@dataclass(frozen=True)
class AttackRow:
    """One system under one attack, or under none, at all budgets."""

    condition: tuple[tuple[str, Any], ...]
    system: str
    title: str  # the system in words
    aim: str | None  # "class 2", "to class 5"; None if any mistake will do
    attack: str
    protocol: str
    rows: pd.DataFrame  # empty if the attack does not apply
    floors: Mapping[str, float]

    @cached_property
    def table(self) -> pd.DataFrame:
        """Its rows of all images."""
        return where(self.rows)

    @property
    def origin(self) -> str:
        """Where a generator was trained, if not on this very link."""
        return " (trained on the undefended link)" if self.protocol == "paper" else ""

    @property
    def name(self) -> str:
        """Its name in tables."""
        return (NO_ATTACK if self.attack == NONE else self.attack) + self.origin

    def has(self, trait: str) -> bool:
        """Tell whether its attack states a trait."""
        return trait in traits_of("attack", self.attack)

    @property
    def budgets(self) -> list[float]:
        """The PSRs, dB, ascending; none without an attack."""
        return [] if self.attack == NONE else sorted(self.rows["psr_db"].dropna().unique())

    @property
    def hit(self) -> str:
        """The metric that the attack is to lower: an accuracy, or of a Bob without classes PSNR."""
        if (self.table["target"] == EACH).any():
            return AIMED[0]
        measured = set(self.table["metric"])
        return MAIN["image" if measured and MAIN["label"] not in measured else "label"]

    @property
    def classifies(self) -> bool:
        """Whether Bob answers classes."""
        return self.hit != MAIN["image"]

    def at(self, metric: str, psr_db: float | None = None) -> Estimate | None:
        """Return a figure of Bob's at one budget; None if it was not measured."""
        return estimate(self.table, metric=metric, psr_db=None if self.attack == NONE else psr_db)

    def most(self, metric: str) -> Estimate | None:
        """Return a figure of Bob's at the budget where it is greatest; None if not measured."""
        levels: list[float | None] = [*self.budgets] or [None]
        found = [self.at(metric, level) for level in levels]
        return max(filter(None, found), key=lambda each: each.value, default=None)

    def by_class(self, metric: str, psr_db: float | None = None) -> dict[int, Estimate]:
        """Return a figure of Bob's at one budget by the class of the images, as far as measured."""
        psr_db = None if self.attack == NONE else psr_db
        found = where(self.rows, image_class="any", metric=metric, psr_db=psr_db)
        found = found.dropna(subset=["image_class", "value"]).drop_duplicates("image_class")
        rows = found.sort_values("image_class").iterrows()
        return {int(row["image_class"]): estimate_of(row) for _, row in rows}

    def floor(self, metric: str) -> float | None:
        """Return a metric's floor, if it is known."""
        return self.floors.get(metric_of(metric).floors[0]) if metric_of(metric).floors else None


def under_attack(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of Bob under attack."""
    return table[(table["role"] == "bob") & table["adversary"].notna()]


def only_attacks(table: pd.DataFrame) -> bool:
    """Tell whether a frame of records is of attacks on Bob, and of no Eve."""
    return not under_attack(table).empty and not (table["role"] == "eve").any()


def _floors(table: pd.DataFrame, **context: Any) -> dict[str, float]:
    """Return the floors of all metrics of Bob's by the name that the metric gives its floor."""
    names = {metric_of(name).name for name in table.loc[table["role"] == "bob", "metric"].unique()}
    found = {
        metric_of(n).floors[0]: floor(table, n, **context) for n in names if metric_of(n).floors
    }
    return {name: value for name, value in found.items() if value is not None}


def attack_rows(table: pd.DataFrame, asked: Iterable[str] = ()) -> list[AttackRow]:
    """Sum up a frame of records, one row per system, aim and attack."""
    bob = table[table["role"] == "bob"]
    attacked = under_attack(bob)
    asked = set(asked)
    named = titles(attacked)
    known = list(styles({*asked, *attacked["adversary"]}, "attack"))
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db", "test_snr_db", "seed"]
    found = []
    for values, group in attacked.groupby(keys, dropna=False, sort=False):
        setting = dict(zip(keys, values, strict=True))
        # Aimed at each class, an attack does what others do that are aimed at none.
        aims = ["" if pd.isna(t) or t == EACH else str(t) for t in group["target"]]
        for (system, name), rows in group.groupby(["system", aims], sort=False):
            aim = str(name) or None
            plain = where(bob[bob["adversary"].isna()], image_class="any", system=system, **setting)
            floors = _floors(table, dataset=setting["dataset"], system=system)
            common = ((*setting.items(), ("aim", aim)), str(system), named[str(system)], aim)
            found.append(AttackRow(*common, NONE, "none", plain, floors))
            for attack in known:
                of = where(rows, image_class="any", adversary=attack)
                for protocol, part in of.groupby("protocol", sort=True):
                    found.append(AttackRow(*common, attack, str(protocol), part, floors))
                # It needs a gradient, classes or pilots that this link has not.
                if of.empty and attack in asked:
                    found.append(AttackRow(*common, attack, "adaptive", of, floors))
    return found


def by_system(found: Iterable[AttackRow]) -> list[list[AttackRow]]:
    """Return the rows of each system under one condition, that without an attack first."""
    groups: dict[str, list[AttackRow]] = {}
    for row in found:
        # By its words, since a missing value (NaN) would not equal itself.
        groups.setdefault(f"{row.condition}{row.system}", []).append(row)
    return list(groups.values())


def merged(table: pd.DataFrame) -> pd.DataFrame:
    """Merge rows of Bob that differ in nothing but the seed: for curves."""
    bob = table[table["role"] == "bob"]
    kept = {"n": ("n", "max"), "asymmetry": ("asymmetry", "first"), "seed": ("seed", "min")}
    pooled = over_seeds(bob, "adversary", **kept)
    return pd.concat([pooled, where(table, role="system")], ignore_index=True)


def titled(found: Iterable[AttackRow]) -> list[tuple[str, list[AttackRow]]]:
    """Return the rows of each system under one condition, named by what differs among them."""
    groups = by_system(found)
    conditions = [dict(group[0].condition) for group in groups]
    first = next(iter(conditions), {})
    keys = [key for key in first if len({str(c[key]) for c in conditions}) > 1]
    heads = (heading((key, condition[key]) for key in keys) for condition in conditions)
    return [
        (" · ".join(filter(None, [head, group[0].title])), group)
        for head, group in zip(heads, groups, strict=True)
    ]


def panels_of(found: Iterable[AttackRow]) -> dict[str, dict[str, AttackRow]]:
    """Return what figures with one panel per system draw: by its title, rows by their names."""
    return {
        title: {row.name: row for row in group if not row.rows.empty}
        for title, group in titled(found)
    }


def budgets(rows: Sequence[AttackRow]) -> list[float]:
    """Return the PSRs that a table shows: all, or evenly chosen ones with both ends."""
    every = sorted({psr_db for row in rows for psr_db in row.budgets})
    if len(every) <= MOST_BUDGETS:
        return every
    last = MOST_BUDGETS - 1
    return [every[round(step * (len(every) - 1) / last)] for step in range(MOST_BUDGETS)]


def attack_tables(found: Iterable[AttackRow], *, every_metric: bool = True) -> list[Table]:
    """Return attacks on Bob as tables, one per system: the main metric at each PSR, others."""
    return [_table(group, every_metric) for group in by_system(found)]


def _table(group: Sequence[AttackRow], every_metric: bool) -> Table:
    levels = budgets(group)
    top = levels[-1] if levels else None
    classifies = all(row.classifies for row in group)
    main = metric_of(MAIN["label" if classifies else "image"])
    names = dict.fromkeys(name for row in group for name in row.table["metric"])
    images = [n for n in names if isinstance(metric_of(n), ImageMetric) and metric_of(n).name == n]
    further = [name for name in (*AIMED, REJECTED) if name in names]
    images = images if every_metric else [name for name in images if name == MAIN["image"]]
    further += [name for name in images if name != main.name]
    at_top = f"at {signed(top)}\N{NO-BREAK SPACE}dB" if top is not None else ""
    columns = [
        Column("attack"),
        *(
            Column(f"{signed(psr)}\N{NO-BREAK SPACE}dB", f"Bob’s {main.label} at", main)
            for psr in levels
        ),
        *(Column(metric_of(name).label, at_top, metric_of(name)) for name in further),
    ]
    # The budget that serves Mallory best: a small one may pass below the noise.
    tested = [UNDETECTED] if UNDETECTED in names else []
    columns += [
        Column(metric_of(name).label, "most, at any PSR", metric_of(name)) for name in tested
    ]
    lines = []
    for row in group:
        cells = [Cell(row.at(row.hit, level)) for level in levels]
        cells += [Cell(row.at(name, top)) for name in further]
        cells += [Cell(row.most(name)) for name in tested]
        lines.append(Line(row.name, [Cell(words=INAPPLICABLE)] if row.rows.empty else cells))
    shown = [main.name] * len(levels) + further + tested
    lines.append(floor_line(main.floor_title, [(name, group[0].floor(name)) for name in shown]))
    facts = [(key, value) for key, value in group[0].condition if key != "aim"]
    aim = f", aim: {group[0].aim}" if group[0].aim else ""
    title = f"{group[0].title}: {heading(facts)}{aim}"
    return Table(group[0].title, columns, [(title, lines)])


def floor_line(name: str, floors: Iterable[tuple[str, float | None]]) -> Line:
    """Return the row of the floors: chance, and the best image that knows nothing of the signal."""
    cells = [
        Cell() if value is None else Cell(words=metric_of(metric).format(value))
        for metric, value in floors
    ]
    return Line(name, cells, faint=True)


def attack_table(records: Iterable[Record], asked: Iterable[str] = ()) -> rich.table.Table:
    """Return attacks on Bob for the terminal, at most 100 columns wide."""
    from rich.table import Table as Grid

    grid = Grid.grid()
    floors: set[str] = set()
    for table in attack_tables(attack_rows(frame(records), asked), every_metric=False):
        grid.add_row(to_rich(table))
        floors |= {lines[-1].name for _, lines in table.groups}
    names = ", ".join(sorted(floors))
    grid.caption = f"± half of the 95 % interval. {names}: without the signal."
    grid.caption_justify = "left"
    return grid
