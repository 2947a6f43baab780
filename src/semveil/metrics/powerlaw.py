"""How something grows: a power law through measured points, and where it leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PowerLaw:
    """``y = exp(offset)·x^exponent``, by least squares on the logarithms of the points."""

    exponent: float
    low: float
    high: float
    offset: float
    points: tuple[float, ...]
    deviation: float

    def at(self, x: float) -> tuple[float, float, float]:
        """Return the fitted value with its 95 % prediction interval.

        The interval is that of one more measurement, if the law holds there; beyond the measured
        points nothing but the law says so.
        """
        from scipy.stats import t as student

        logs = np.log(self.points)
        far = (np.log(x) - logs.mean()) ** 2 / ((logs - logs.mean()) ** 2).sum()
        half = student.ppf(0.975, len(logs) - 2) * self.deviation
        half = half * np.sqrt(1 + 1 / len(logs) + far)
        middle = self.offset + self.exponent * np.log(x)
        return float(np.exp(middle)), float(np.exp(middle - half)), float(np.exp(middle + half))


def fit_power_law(x: Sequence[float], y: Sequence[float]) -> PowerLaw:
    """Fit a power law by least squares on logarithms, with Student's interval of its exponent."""
    from scipy.stats import t as student

    if len(x) != len(y) or len(x) < 3 or len(set(x)) < 2:
        raise ValueError(f"a power law needs three points at two places, not {len(x)}, {len(y)}")
    if min(*x, *y) <= 0:
        raise ValueError("a power law is fitted to positive numbers alone")
    logs, values = np.log(np.asarray(x, float)), np.log(np.asarray(y, float))
    spread = logs - logs.mean()
    exponent = float(spread @ values / (spread @ spread))
    offset = float(values.mean() - exponent * logs.mean())
    residuals = values - offset - exponent * logs
    deviation = float(np.sqrt(residuals @ residuals / (len(logs) - 2)))
    half = float(student.ppf(0.975, len(logs) - 2) * deviation / np.sqrt(spread @ spread))
    where = tuple(float(place) for place in x)
    return PowerLaw(exponent, exponent - half, exponent + half, offset, where, deviation)
