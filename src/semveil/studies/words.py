"""Words and tables of the studies' pages, made of records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from semveil.report.select import strongest, where


@dataclass(frozen=True)
class Value:
    """A number of a record with its interval."""

    value: float
    low: float
    high: float

    def percent(self) -> str:
        """Return the number as a percentage with its 95 % interval.

        Example:
            >>> Value(0.5, 0.49, 0.512).percent()
            '50.0 (49.0–51.2)'
        """
        return f"{100 * self.value:.1f} ({100 * self.low:.1f}–{100 * self.high:.1f})"


def pick(table: pd.DataFrame, **wanted: Any) -> Value | None:
    """Return the one number that fits, the strongest Eve's where several do; None if none does.

    Args:
        table: Frame of records.
        wanted: Columns and the values they must have.
    """
    rows = where(table, **wanted)
    if wanted.get("role") == "eve" and len(rows):
        rows = strongest(rows)
    if rows.empty:
        return None
    row = rows.sort_values("value").iloc[-1]
    return Value(float(row["value"]), float(row["ci_low"]), float(row["ci_high"]))


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Example:
        >>> print(markdown_table(["d", "Bob"], [["8", "90.1"]]))
        | d | Bob |
        | --- | --- |
        | 8 | 90.1 |
    """
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def points(now: Value, before: Value) -> str:
    """Return a difference of two rates in points, with its sign.

    Example:
        >>> points(Value(0.3, 0, 1), Value(0.5, 0, 1))
        '−20.0'
    """
    return f"{100 * (now.value - before.value):+.1f}".replace("-", "−")
