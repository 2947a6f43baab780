"""The median of a few repeats, with an interval that holds for every distribution."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from scipy.stats import binom

from semveil.metrics.intervals import Estimate

_CONFIDENCE = 0.95


def median_of(values: Sequence[float]) -> Estimate:
    """Return the median with its order-statistic interval (Conover, 1971, section 3.2).

    Between the ``k``-th smallest and the ``k``-th largest of ``n`` independent values lies the
    median with probability ``1 − 2·P(Bin(n, ½) < k)``, whatever the distribution. The largest
    ``k`` that leaves 95 % is taken. Fewer than six values never reach 95 %: smallest and largest
    are returned then, and the confidence is ``1 − 2^(1 − n)``.

    Args:
        values: Repeats of one measurement, at least one.

    Returns:
        The median, its interval, and the number of repeats.

    Raises:
        ValueError: If there are none.

    Example:
        >>> median_of([5.0, 1.0, 2.0, 4.0, 3.0, 9.0])
        Estimate(value=3.5, low=1.0, high=9.0, n=6)
    """
    if not values:
        raise ValueError("no value has no median")
    ordered = sorted(values)
    # The smallest k with P(Bin ≤ k) > 2.5 % is the largest with P(Bin < k) ≤ 2.5 %.
    k = max(1, int(binom.ppf((1 - _CONFIDENCE) / 2, len(ordered), 0.5)))
    return Estimate(median(ordered), ordered[k - 1], ordered[-k], len(ordered))
