"""The records of attacks, asked by link, attack and budget."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from semveil.report.attack_rows import NONE, AttackRow, attack_rows, merged
from semveil.studies.privacy_claims import difference
from semveil.studies.words import Value


@dataclass(frozen=True)
class AttackedLink:
    """One link of one set under attacks with one aim.

    Attributes:
        dataset: The set.
        name: Label of the link.
        aim: What Mallory is after; None if any mistake will do.
        rows: By attack and protocol; ``("none", "none")`` without one.
    """

    dataset: str
    name: str
    aim: str | None
    rows: dict[tuple[str, str], AttackRow]

    @property
    def attacks(self) -> list[str]:
        """Names of the attacks that were tried."""
        return list(dict.fromkeys(name for name, _ in self.rows if name != NONE))

    @property
    def budgets(self) -> list[float]:
        """The PSRs, dB, ascending."""
        return sorted({psr_db for row in self.rows.values() for psr_db in row.budgets})

    def at(
        self, attack: str, metric: str, psr_db: float | None, protocol: str = "adaptive"
    ) -> Value | None:
        """Return a figure of Bob's; None if it was not measured.

        Args:
            attack: Name; ``none`` without one.
            metric: The metric; ``hit`` is the accuracy that the attack is to lower.
            psr_db: Budget, dB.
            protocol: ``adaptive`` or ``paper``.
        """
        row = self.rows.get((attack, "none" if attack == NONE else protocol))
        if row is None:
            return None
        found = row.at(row.hit if metric == "hit" else metric, psr_db)
        return None if found is None else Value(found.value, found.low, found.high)

    def lost(
        self, attack: str, metric: str, psr_db: float, protocol: str = "adaptive"
    ) -> Value | None:
        """Return what an attack takes from a figure that Bob has undisturbed."""
        plain = self.at(NONE, "accuracy" if metric == "hit" else metric, None)
        return gap(plain, self.at(attack, metric, psr_db, protocol))


def gap(one: Value | None, other: Value | None) -> Value | None:
    """Return a difference with its interval; None if either was not measured."""
    return difference(one, other) if one and other else None


def victims(table: pd.DataFrame) -> list[AttackedLink]:
    """Return the links of a frame of records, seeds merged, in its order."""
    found: dict[str, AttackedLink] = {}
    for row in attack_rows(merged(table)):
        if row.table.empty:
            continue
        dataset = str(dict(row.condition)["dataset"])
        key = f"{row.condition}{row.system}"
        victim = found.setdefault(key, AttackedLink(dataset, row.system, row.aim, {}))
        victim.rows[row.attack, row.protocol] = row
    return list(found.values())


def points(found: Value) -> str:
    """Return a difference of rates in points.

    Example:
        >>> points(Value(0.1, -0.05, 0.2))
        '+10.0 (−5.0 to +20.0)'
    """
    value, low, high = (f"{100 * x:+.1f}" for x in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})".replace("-", "−")


def level(found: Value, digits: int = 1) -> str:
    """Return a number with its interval.

    Example:
        >>> level(Value(-2.5, -3.0, -2.0))
        '−2.5 (−3.0 to −2.0)'
    """
    value, low, high = (f"{x:.{digits}f}" for x in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})".replace("-", "−")
