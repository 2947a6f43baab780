"""The records of the study of faces, asked by system, attribute and metric; and Table II."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy.stats import t

from semveil.report.select import strongest, where
from semveil.studies.words import Value, pick

HOME_DB = 12.0
MI = "mi_bits_20"
ATTRIBUTES = ("Mustache", "Smiling", "Wavy_Hair")
DP = ("dp, ε = 0.05", "dp, ε = 0.1", "dp, ε = 0.9")
_TABLE_II = {
    DP[0]: (0.750, 0.667, 0.729),
    DP[1]: (0.763, 0.684, 0.736),
    DP[2]: (0.765, 0.672, 0.723),
    "shuffle": (0.776, 0.672, 0.745),
    "ibal": (0.773, 0.696, 0.718),
    "lbvq": (0.853, 0.799, 0.793),
}
PUBLISHED = {
    (system, attribute): rate
    for system, rates in _TABLE_II.items()
    for attribute, rate in zip(ATTRIBUTES, rates, strict=True)
}
KINDS = {"accuracy": "top-1", "balanced_accuracy": "balanced"}


def by_system(table: pd.DataFrame) -> pd.DataFrame:
    """Return records with their attribute, and their system as the page's tables name it.

    Example:
        >>> row = {"scheme": "dp", "variant": None, "params.task": "Smiling", "params.epsilon": 0.1}
        >>> by_system(pd.DataFrame([row]))[["system", "attribute"]].values.tolist()
        [['dp, ε = 0.1', 'Smiling']]
    """
    return table.assign(
        system=[_system(row) for row in table.to_dict("records")], attribute=table["params.task"]
    )


def _system(row: Mapping[Hashable, Any]) -> str:
    name = str(row["scheme"])
    if pd.notna(row.get("params.protections")):
        name += "+rotation"
    if pd.notna(row["variant"]):
        name += f" ({row['variant']})"
    epsilon = row.get("params.epsilon")
    return name if pd.isna(epsilon) else f"{name}, ε = {epsilon:g}"


@dataclass(frozen=True)
class Seeds:
    """One figure of one system, once per seed.

    Attributes:
        values: By seed.
        low: Least end of their intervals.
        high: Largest end.
    """

    values: dict[int, float]
    low: float
    high: float

    @property
    def mean(self) -> float:
        """Mean over seeds."""
        return sum(self.values.values()) / len(self.values)

    @property
    def deviation(self) -> float | None:
        """Sample standard deviation over seeds; None for one seed."""
        n, mean = len(self.values), self.mean
        if n < 2:
            return None
        return math.sqrt(sum((value - mean) ** 2 for value in self.values.values()) / (n - 1))

    def percent(self) -> str:
        """Return mean, deviation and span of intervals, in percent.

        Example:
            >>> Seeds({0: 0.8, 1: 0.9}, 0.7, 0.95).percent()
            '85.0 ± 7.1 (70–95)'
        """
        spread = "" if self.deviation is None else f" ± {100 * self.deviation:.1f}"
        return f"{100 * self.mean:.1f}{spread} ({100 * self.low:.0f}–{100 * self.high:.0f})"


def seeds(rows: pd.DataFrame) -> Seeds | None:
    """Return the figure that rows hold, the strongest Eve's where there are several a seed."""
    if len(rows) and (rows["role"] == "eve").all():
        rows = strongest(rows)
    if rows.empty:
        return None
    values = dict(zip(rows["seed"].astype(int), rows["value"].astype(float), strict=True))
    return Seeds(values, float(rows["ci_low"].min()), float(rows["ci_high"].max()))


def interval(differences: Sequence[float]) -> Value:
    """Return the mean of paired differences with its 95 % interval, Student's t.

    One difference has no interval: it reaches from −∞ to ∞.

    Example:
        >>> found = interval([0.1, 0.2, 0.3])
        >>> round(found.value, 3), round(found.low, 3)
        (0.2, -0.048)
    """
    n = len(differences)
    mean = sum(differences) / n
    if n < 2:
        return Value(mean, -math.inf, math.inf)
    spread = math.sqrt(sum((x - mean) ** 2 for x in differences) / (n - 1) / n)
    half = float(t.ppf(0.975, n - 1)) * spread
    return Value(mean, mean - half, mean + half)


def verdict(found: Value, least: float = 0.0) -> str:
    """Return whether a difference exceeds what a claim says at least, for sure.

    Example:
        >>> verdict(Value(0.1, 0.05, 0.15)), verdict(Value(0.1, 0.05, 0.15), 0.2)
        ('confirmed', 'contradicted')
    """
    if found.low > least:
        return "confirmed"
    return "contradicted" if found.high < least else "not shown"


class Faces:
    """The records of the study, asked by system, attribute and metric."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = by_system(table)
        bob = where(self.table, role="bob")
        self.systems = list(dict.fromkeys(bob["system"]))
        self.attributes = list(dict.fromkeys(bob["attribute"]))
        guessed = where(self.table, role="eve", metric="accuracy")["target"].dropna().unique()
        self.private = str(guessed[0])

    def bob(self, system: str, attribute: str, metric: str) -> Seeds:
        """Return Bob's figure; every system has one for every attribute."""
        found = seeds(
            where(self.table, role="bob", system=system, attribute=attribute, metric=metric)
        )
        assert found is not None
        return found

    def eve(self, system: str, attribute: str, metric: str) -> Seeds:
        """Return the fresh Eve's figure at what she is after."""
        rows = where(self.table, role="eve", system=system, attribute=attribute, metric=metric)
        found = seeds(where(rows, protocol="adaptive"))
        assert found is not None
        return found

    def chance(self, attribute: str, target: str = "label") -> Value:
        """Return what naming the most frequent class gets."""
        found = pick(self.table, metric="chance", attribute=attribute, target=target)
        assert found is not None
        return found

    def rebuilt(self, system: str, attribute: str, metric: str) -> Value | None:
        """Return a figure of the strongest fresh inverter; None where none was tried."""
        return pick(
            where(self.table, system=system, attribute=attribute),
            role="eve",
            metric=metric,
            protocol="adaptive",
        )

    def ahead(
        self, one: str, other: str, metric: str, attributes: Sequence[str], party: str = "bob"
    ) -> Value:
        """Return by how much one system is ahead of another, paired by attribute and seed."""
        of = self.bob if party == "bob" else self.eve
        pairs = [(of(one, a, metric).values, of(other, a, metric).values) for a in attributes]
        return interval([x[seed] - y[seed] for x, y in pairs for seed in x.keys() & y.keys()])
