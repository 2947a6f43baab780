"""Confidence intervals at 95 %: Wilson for rates, the bootstrap for everything else."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.stats import beta
from torch import Tensor

from semveil.rng import generator

_Z = 1.959963984540054
_RESAMPLES = 1000
_ENDS = (0.025, 0.975)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % confidence interval and the sample size behind it."""

    value: float
    low: float
    high: float
    n: int


def wilson(hits: int, n: int) -> Estimate:
    """Return a rate with its Wilson score interval (Wilson, 1927).

    Args:
        hits: Successes.
        n: Trials, at least one.

    Returns:
        The rate ``hits / n`` with its interval, inside [0, 1].

    Raises:
        ValueError: If there are no trials, or more hits than trials.

    Example:
        >>> e = wilson(8, 10)
        >>> round(e.low, 3), round(e.high, 3)
        (0.49, 0.943)
    """
    if not 0 <= hits <= n or n < 1:
        raise ValueError(f"{hits} of {n} is not a rate")
    rate = hits / n
    spread = 1 + _Z**2 / n
    centre = (rate + _Z**2 / (2 * n)) / spread
    half = _Z * (rate * (1 - rate) / n + _Z**2 / (4 * n**2)) ** 0.5 / spread
    # Rounding may leave the ends a hair beyond the rate where nothing or everything hits.
    return Estimate(rate, min(rate, max(0.0, centre - half)), max(rate, min(1.0, centre + half)), n)


def exact(value: float) -> Estimate:
    """Return a counted value, which has no interval."""
    return Estimate(value, value, value, 1)


def bootstrap_mean(values: Tensor, seed: int = 0) -> Estimate:
    """Return a mean with its percentile-bootstrap interval (Efron, 1979).

    Args:
        values: One number per image, ``[N]``.
        seed: Seed of the 1000 resamples.

    Returns:
        The mean and its interval.

    Example:
        >>> e = bootstrap_mean(torch.arange(100.0))
        >>> e.value, 40 < e.low < 49.5 < e.high < 60
        (49.5, True)
    """
    values = values.detach().double().cpu().flatten()
    rows = torch.randint(
        len(values), (_RESAMPLES, len(values)), generator=generator(seed, "bootstrap")
    )
    ends = torch.quantile(values[rows].mean(1), torch.tensor(_ENDS, dtype=torch.double))
    return Estimate(float(values.mean()), float(ends[0]), float(ends[1]), len(values))


def bootstrap_quantile(values: Tensor, q: float) -> Estimate:
    """Return a quantile with its percentile-bootstrap interval: the tail of a distribution.

    No resample is drawn: the ``k``-th smallest of ``n`` values drawn with replacement is the one of
    rank ``⌈n U⌉`` with ``U ~ Beta(k, n + 1 − k)``, so the ends of the interval are those of
    the infinitely resampled bootstrap.

    Args:
        values: One number per image, ``[N]``.
        q: Which quantile, in [0, 1].

    Returns:
        The quantile and its interval.

    Example:
        >>> e = bootstrap_quantile(torch.arange(1001.0), 0.05)
        >>> e.value, e.low < 50 < e.high
        (50.0, True)
    """
    ordered = values.detach().double().cpu().flatten().sort().values
    n = len(ordered)
    k = round(q * (n - 1)) + 1
    low, high = (max(1, math.ceil(n * float(beta.ppf(end, k, n + 1 - k)))) for end in _ENDS)
    return Estimate(float(ordered[k - 1]), float(ordered[low - 1]), float(ordered[high - 1]), n)
