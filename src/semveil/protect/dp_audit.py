"""A lower bound on ε from an attack that distinguishes two inputs by a mechanism's output.

A proof bounds ε from above and may be wrong, or not apply to the code. The attack needs no proof:
under an ε-differentially private mechanism no event has more than ``e^ε`` times the probability
under one input that it has under another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Mechanism = Callable[[Tensor, torch.Generator], Tensor]
Statistic = Callable[[Tensor], Tensor]

_BLOCK = 16_384
_BINS = 32
_THRESHOLDS = 400


def empirical_epsilon(
    mechanism: Mechanism,
    x: Tensor,
    x_prime: Tensor,
    draws: int,
    generator: torch.Generator,
    confidence: float = 0.95,
) -> float:
    """Return a lower confidence bound on the ε of a mechanism.

    A quarter of the draws trains two test statistics, the second quarter chooses the better one
    with its threshold, and the other half counts: with ``p`` and ``p'`` the probabilities of the
    chosen event under either input, ``ε ≥ ln(p / p')``, each bounded by Clopper and Pearson (1934)
    at half of the allowed error (Jagielski et al., NeurIPS 2020; Nasr et al., 2021). The bound is
    of pure ε, δ = 0, and can never exceed about ``ln(draws / 8)``.

    Args:
        mechanism: Inputs ``[n, ...]`` and a generator → outputs ``[n, ...]``, real or complex,
            each with randomness of its own.
        x: One input, without batch dimension.
        x_prime: Another one.
        draws: Outputs per input, at least 100.
        generator: Source of the mechanism's randomness.
        confidence: Probability with which the bound holds.

    Returns:
        A lower bound on ε; 0 if the two were not distinguished.

    Raises:
        ValueError: If there are too few draws, or ``confidence`` is not a probability.

    Example:
        >>> def noisy(batch, generator):
        ...     return batch + torch.randint(2, batch.shape, generator=generator)
        >>> one = torch.zeros(1)
        >>> empirical_epsilon(noisy, one, one, 1000, torch.Generator().manual_seed(0)) < 0.1
        True
        >>> empirical_epsilon(noisy, one, one + 1, 10_000, torch.Generator().manual_seed(0)) > 6
        True
    """
    if draws < 100 or not 0 < confidence < 1:
        raise ValueError(f"no distinguishing attack: {draws=}, {confidence=}")
    here = _outputs(mechanism, x, draws, generator)
    there = _outputs(mechanism, x_prime, draws, generator)
    parts = [draws // 4, draws // 4, draws - 2 * (draws // 4)]
    train, choose, count = zip(here.split(parts), there.split(parts), strict=True)

    error = (1 - confidence) / 2
    # A statistic and its negative: events that are likelier under x, or under x'.
    chosen = max(
        (
            _choose(statistic, sign, choose, error)
            for statistic in (_distances(*train), _densities(*train))
            for sign in (1, -1)
        ),
        key=lambda event: event.bound,
    )
    likelier, other = (chosen.sign * chosen.statistic(part) for part in count[:: chosen.sign])
    return max(0.0, float(_log_ratio(likelier, other, chosen.threshold, error)))


class _Event(NamedTuple):
    bound: float
    statistic: Statistic
    sign: int
    threshold: Tensor


def _choose(statistic: Statistic, sign: int, parts: Sequence[Tensor], error: float) -> _Event:
    likelier, other = (sign * statistic(part) for part in parts[::sign])
    pooled = torch.cat([likelier, other]).sort().values
    thresholds = pooled[:: max(1, len(pooled) // _THRESHOLDS)].contiguous()
    bounds = _log_ratio(likelier, other, thresholds, error)
    best = int(bounds.argmax())
    return _Event(float(bounds[best]), statistic, sign, thresholds[best : best + 1])


def _outputs(mechanism: Mechanism, x: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    blocks = []
    with torch.no_grad():
        for start in range(0, draws, _BLOCK):
            batch = x.expand(min(_BLOCK, draws - start), *x.shape)
            out = mechanism(batch, generator)
            out = torch.view_as_real(out) if out.is_complex() else out
            blocks.append(out.flatten(1).double())
    return torch.cat(blocks)


def _distances(here: Tensor, there: Tensor) -> Statistic:
    """Compare ℓ1 distances to both medians: the likelihood ratio of Laplace noise."""
    near, far = here.median(0).values, there.median(0).values
    return lambda y: (y - far).abs().sum(1) - (y - near).abs().sum(1)


def _densities(here: Tensor, there: Tensor) -> Statistic:
    """Sum the log ratios of both histograms over coordinates: any independent noise."""
    pooled = torch.cat([here, there]).sort(0).values
    dim = here.shape[1]
    cuts = pooled[len(pooled) // _BINS :: len(pooled) // _BINS][: _BINS - 1].T.contiguous()
    bins = cuts.shape[1] + 1
    offsets = bins * torch.arange(dim, device=here.device)[:, None]

    def cells(y: Tensor) -> Tensor:
        return torch.searchsorted(cuts, y.T.contiguous()) + offsets

    def counts(y: Tensor) -> Tensor:
        return torch.bincount(cells(y).flatten(), minlength=dim * bins).double() + 1

    own, other = counts(here), counts(there)
    ratio = (own / other).log()
    # Estimates within two standard errors of nothing would add up to noise over many coordinates.
    ratio[ratio.abs() < 2 * (1 / own + 1 / other).sqrt()] = 0
    return lambda y: ratio[cells(y)].sum(0)


def _log_ratio(likelier: Tensor, other: Tensor, thresholds: Tensor, error: float) -> Tensor:
    """Bound ``ln P(likelier > t) − ln P(other > t)`` from below, for every threshold."""
    from scipy.stats import beta

    hits, chances = (
        (len(scores) - torch.searchsorted(scores.sort().values, thresholds, right=True)).cpu()
        for scores in (likelier, other)
    )
    low = beta.ppf(error, hits, len(likelier) - hits + 1)
    high = beta.ppf(1 - error, chances + 1, len(other) - chances)
    # No event at all: the lower end is 0. Nothing but the event: the upper end is 1.
    low, high = torch.as_tensor(low).nan_to_num(0.0), torch.as_tensor(high).nan_to_num(1.0)
    return low.log() - high.log()
