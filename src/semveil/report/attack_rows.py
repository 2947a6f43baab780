"""Bob under attack: one row per system and attack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from semveil.report.select import CONTEST, SETTING, floor, present, where
from semveil.report.summary import Measure, measure
from semveil.report.table import heading

NONE = "none"
ORDER = (NONE, "jamming", "fgm", "pgd", "uap", "pgm", "semadv", "transfer", "blackbox")
NEEDS_GRADIENT = frozenset({"fgm", "pgd", "uap", "pgm", "semadv"})
# An attack that is aimed at the class of every image in turn.
EACH = "each class"


@dataclass(frozen=True)
class AttackRow:
    """One system under one attack, or under none, at all budgets.

    Attributes:
        condition: What rows are grouped by: run, study, dataset, channel, latent dimension, SNRs,
            seed and what Mallory is after.
        system: Label of the system.
        aim: What Mallory is after: ``class 2``, ``to class 5``; None if any mistake will do.
        attack: The attack; ``none`` without one.
        protocol: ``adaptive`` or ``paper``; ``none`` without an attack.
        table: Its records; empty if the attack does not apply.
        chance: What guessing gets.
    """

    condition: tuple[tuple[str, Any], ...]
    system: str
    aim: str | None
    attack: str
    protocol: str
    table: pd.DataFrame
    chance: float | None

    @property
    def name(self) -> str:
        """Its name in tables."""
        trained = " (made for the plain link)" if self.protocol == "paper" else ""
        return ("nobody" if self.attack == NONE else self.attack) + trained

    @property
    def budgets(self) -> list[float]:
        """The PSRs, dB, ascending."""
        return sorted(self.table["psr_db"].dropna().unique())

    @property
    def hit(self) -> str:
        """The accuracy that the attack is to lower: of all images, each being aimed at."""
        each = (self.table["target"] == EACH).any()
        return "accuracy_targeted" if each else "accuracy"

    def at(self, metric: str, psr_db: float | None = None) -> Measure | None:
        """Return a figure of Bob's at one budget; None if it was not measured."""
        if self.attack == NONE:
            psr_db = None
        found = measure(self.table, metric=metric, psr_db=psr_db)
        # Whose doing it is, the row says.
        return found and replace(found, adversary=None)


def disturbed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of Bob under attack.

    Example:
        >>> table = pd.DataFrame({"role": ["bob", "bob", "eve"], "adversary": [None, "pgd", "mlp"]})
        >>> disturbed(table)["adversary"].tolist()
        ['pgd']
    """
    return table[(table["role"] == "bob") & table["adversary"].notna()]


def only_attacks(table: pd.DataFrame) -> bool:
    """Tell whether a frame of records is of attacks on Bob, and of no Eve."""
    return not disturbed(table).empty and not (table["role"] == "eve").any()


def chance(table: pd.DataFrame, **context: Any) -> float | None:
    """Return what guessing gets: as measured, else the largest class's share of the test images.

    Args:
        table: Frame of records.
        **context: Columns and values, the most important first.
    """
    known = floor(table, "accuracy", **context)
    if known is not None:
        return known
    classes = table[table["metric"].str.startswith("accuracy_class_") & table["adversary"].isna()]
    sizes = where(classes, **context).groupby("metric")["n"].max()
    return float(sizes.max() / sizes.sum()) if len(sizes) else None


def attack_rows(table: pd.DataFrame, asked: Iterable[str] = ()) -> list[AttackRow]:
    """Sum up a frame of records, one row per system, aim and attack.

    Args:
        table: Frame of records (see `semveil.report.select.frame`).
        asked: Attacks that were asked for, besides those that left records.

    Returns:
        Rows in the order of systems in the frame and of `ORDER`; of an attack that was asked for
        or hit another system, but needs a gradient that this one has not, an empty row.
    """
    bob = table[table["role"] == "bob"]
    struck = disturbed(bob)
    names = {*asked, *struck["adversary"]}
    known = [name for name in ORDER if name in names] + sorted(names - set(ORDER))
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db", "test_snr_db", "seed"]
    found = []
    for values, group in struck.groupby(keys, dropna=False, sort=False):
        setting = dict(zip(keys, values, strict=True))
        # Aimed at each class, an attack does what others do that are aimed at none.
        aims = ["" if pd.isna(t) or t == EACH else str(t) for t in group["target"]]
        for (system, name), rows in group.groupby(["system", aims], sort=False):
            aim = str(name) or None
            plain = where(bob[bob["adversary"].isna()], system=system, **setting)
            guess = chance(table, dataset=setting["dataset"], system=system)
            common = ((*setting.items(), ("aim", aim)), str(system), aim)
            found.append(AttackRow(*common, NONE, "none", plain, guess))
            for attack in known:
                of = where(rows, adversary=attack)
                for protocol, part in of.groupby("protocol", sort=True):
                    found.append(AttackRow(*common, attack, str(protocol), part, guess))
                if of.empty and attack in NEEDS_GRADIENT:
                    found.append(AttackRow(*common, attack, "adaptive", of, guess))
    return found


def by_system(found: Iterable[AttackRow]) -> list[list[AttackRow]]:
    """Return the rows of each system under one condition, nobody first."""
    groups: dict[str, list[AttackRow]] = {}
    for row in found:
        # By its words, since a missing value (NaN) would not equal itself.
        groups.setdefault(f"{row.condition}{row.system}", []).append(row)
    return list(groups.values())


def merged(table: pd.DataFrame) -> pd.DataFrame:
    """Merge rows of Bob that differ in nothing but the seed: for curves.

    Args:
        table: Frame of records.

    Returns:
        His rows with the mean value and an interval that spans those of all seeds, and the rows
        of role ``system`` as they are.
    """
    bob = table[table["role"] == "bob"]
    keys = [key for key in (*present(table, CONTEST), "role", "adversary") if key != "seed"]
    pooled = bob.groupby(keys, dropna=False, sort=False).agg(
        value=("value", "mean"),
        ci_low=("ci_low", "min"),
        ci_high=("ci_high", "max"),
        n=("n", "max"),
        asymmetry=("asymmetry", "first"),
        seed=("seed", "min"),
    )
    return pd.concat([pooled.reset_index(), where(table, role="system")], ignore_index=True)


def panels_of(found: Iterable[AttackRow]) -> dict[str, dict[str, AttackRow]]:
    """Return what figures with one panel per system draw: by its title, rows by their names.

    Args:
        found: Rows; those without records are left out.
    """
    groups = by_system(found)
    conditions = [dict(group[0].condition) for group in groups]
    keys = [key for key in conditions[0] if len({str(c[key]) for c in conditions}) > 1]
    panels: dict[str, dict[str, AttackRow]] = {}
    for group, condition in zip(groups, conditions, strict=True):
        above = heading((key, condition[key]) for key in keys)
        title = " · ".join(filter(None, [above, group[0].system]))
        panels[title] = {row.name: row for row in group if not row.table.empty}
    return panels
