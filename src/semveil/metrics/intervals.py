"""Confidence intervals at 95 %: Wilson for rates, the bootstrap for everything else."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.rng import generator

_Z = 1.959963984540054
_RESAMPLES = 1000


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
    return Estimate(rate, max(0.0, centre - half), min(1.0, centre + half), n)


def _resampled(values: Tensor, seed: int) -> Tensor:
    source = generator(seed, "bootstrap")
    values = values.detach().double().cpu().flatten()
    rows = torch.randint(len(values), (_RESAMPLES, len(values)), generator=source)
    return values[rows]


def _interval(value: float, statistics: Tensor, n: int) -> Estimate:
    ends = torch.quantile(statistics, torch.tensor([0.025, 0.975], dtype=torch.double))
    return Estimate(value, float(ends[0]), float(ends[1]), n)


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
    mean = float(values.double().mean())
    return _interval(mean, _resampled(values, seed).mean(1), values.numel())


def bootstrap_quantile(values: Tensor, q: float, seed: int = 0) -> Estimate:
    """Return a quantile with its percentile-bootstrap interval: the tail of a distribution.

    Args:
        values: One number per image, ``[N]``.
        q: Which quantile, in [0, 1].
        seed: Seed of the 1000 resamples.

    Returns:
        The quantile and its interval.

    Example:
        >>> round(bootstrap_quantile(torch.arange(101.0), 0.05).value, 6)
        5.0
    """
    value = float(torch.quantile(values.detach().double().cpu(), q))
    statistics = torch.quantile(_resampled(values, seed), q, dim=1)
    return _interval(value, statistics, values.numel())
