"""Mean and standard deviation over the seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import pandas as pd

from semveil.records import Estimate
from semveil.report.select import strongest


def over_seeds(rows: pd.DataFrame) -> Estimate | None:
    """Return mean and standard deviation of one number per seed; of several Eves the strongest."""
    if len(rows) and (rows["role"] == "eve").all():
        rows = strongest(rows)
    return spread(list(rows["value"])) if len(rows) else None


def spread(values: Sequence[float]) -> Estimate:
    """Return the mean, with the standard deviation either way as its interval."""
    middle = statistics.mean(values)
    around = statistics.stdev(values) if len(values) > 1 else 0.0
    return Estimate(middle, middle - around, middle + around, len(values))
