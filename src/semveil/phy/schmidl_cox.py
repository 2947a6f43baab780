"""Finding a preamble of two equal halves.

Schmidl and Cox, "Robust frequency and timing synchronization for OFDM", IEEE Transactions on
Communications 45(12), 1997.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semveil.phy.broadcast import squared_magnitude

_FLOOR, _ROUNDING = 1e-10, 1e-6
"""Energy of a half that is taken for rounding errors, relative to that of all samples, and to that
of the half with its mean."""


def schmidl_cox(samples: Tensor, half: int) -> tuple[Tensor, Tensor]:
    """Correlate neighbouring halves at every position.

    Means are removed from both halves, so that an offset at DC is no plateau, and each half is
    normalised by its own energy: the metric is the squared magnitude of the correlation
    coefficient. In white Gaussian noise it is distributed as Beta(1, half − 2), whatever the level.
    No sum runs over more than ``half`` samples, so that long streams lose no precision.

    Args:
        samples: complex ``[n]``, finite.
        half: Samples ``L`` of a half, at least 3.

    Returns:
        The metric, 0 to 1, real ``[n − 2L + 1]``, and the correlation, complex of the same shape,
        whose angle is ``2π·L`` times the frequency offset in cycles per sample.

    Raises:
        ValueError: If there are fewer than two halves of samples, or a half is too short.

    Example:
        >>> half = torch.tensor([1.0, -1, 1j, -1j])
        >>> schmidl_cox(torch.cat([half, 1j * half]), 4)
        (tensor([1.]), tensor([0.+4.j]))
    """
    n = len(samples)
    if half < 3 or n < 2 * half:
        raise ValueError(f"{n} samples, where two halves of {half} are needed, 3 at least")
    positions = n - 2 * half + 1
    inner = _sums(samples[:-half].conj() * samples[half:], half)[:positions]
    sums = _sums(samples, half)
    power = squared_magnitude(samples)
    energy = _sums(power, half)
    floor = energy * _ROUNDING + max(_FLOOR * float(power.sum()), 1e-30)
    energy = energy.sub_(squared_magnitude(sums), alpha=1 / half).maximum(floor)
    inner = inner - sums[:-half].conj() * sums[half:] / half
    return squared_magnitude(inner) / energy[:-half] / energy[half:], inner


def schmidl_cox_threshold(half: int, probability: float) -> float:
    """Return the metric that white noise exceeds with a probability, at one position.

    Example:
        >>> round(schmidl_cox_threshold(256, 1e-3), 4)
        0.0268
    """
    # 1 − (1 − t)^(L − 2) is the distribution of Beta(1, L − 2).
    return -math.expm1(math.log(probability) / (half - 2))


def _sums(x: Tensor, length: int) -> Tensor:
    """Return sums over ``length`` neighbours, ``[n − length + 1]``."""
    # A window is the end of one block and the beginning of the next.
    n = len(x)
    blocks = torch.nn.functional.pad(x, (0, 2 * length - n % length)).view(-1, length)
    head = blocks.cumsum(1)
    tail = head[:, -1:] - head + blocks
    out = tail[:-1]
    out[:, 1:] += head[1:, :-1]
    return out.flatten()[: n - length + 1]
