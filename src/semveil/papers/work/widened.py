"""The largest of several numbers, with an interval that knows that it was chosen."""

from __future__ import annotations

from statistics import NormalDist

import pandas as pd

from semveil.papers.values import single
from semveil.records import Estimate

_ATTACKERS = 8
_WIDER = NormalDist().inv_cdf(1 - 0.025 / _ATTACKERS) / NormalDist().inv_cdf(0.975)


def best_of_eight(rows: pd.DataFrame) -> Estimate | None:
    """Return the strongest Eve's number with its interval widened for eight Eves (Bonferroni)."""
    found = single(rows)
    if found is None:
        return None
    value, low, high = found.number.value, found.number.low, found.number.high
    return Estimate(
        value, value - _WIDER * (value - low), value + _WIDER * (high - value), found.number.n
    )
