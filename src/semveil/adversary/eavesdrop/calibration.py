"""Gain and offset of an inverter's pictures, chosen on validation images."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.adversary.eavesdrop.losses import log_error

_ROUNDS = 5


def affine(pictures: Tensor, originals: Tensor, logarithmic: bool) -> tuple[float, float]:
    """Return the gain and the offset at which pictures are nearest to the originals.

    A network that was trained for all SNRs at once, or stopped early, shrinks or stretches contrast
    at one of them.

    Args:
        pictures: float ``[B, C, H, W]``.
        originals: float ``[B, C, H, W]`` in [0, 1].
        logarithmic: Whether the mean logarithm of every image's error counts, instead of the error.

    Returns:
        Gain and offset; 1 and 0 where no other are better.

    Example:
        >>> originals = torch.rand(20, 1, 4, 4, generator=torch.Generator().manual_seed(0))
        >>> gain, offset = affine(0.5 * originals + 0.1, originals, logarithmic=False)
        >>> round(gain, 3), round(offset, 3)
        (2.0, -0.2)
    """
    found, truth = pictures.flatten(1).double(), originals.flatten(1).double()
    weight = torch.ones(len(found), 1, dtype=found.dtype, device=found.device)
    gain, offset = 1.0, 0.0
    for _ in range(_ROUNDS if logarithmic else 1):
        total = weight.sum() * found.shape[1]
        middle, wanted = (weight * found).sum() / total, (weight * truth).sum() / total
        spread = (weight * (found - middle).square()).sum()
        together = (weight * (found - middle) * (truth - wanted)).sum()
        gain = float(together / spread.clamp_min(1e-12))
        offset = float(wanted - gain * middle)
        # The logarithm's slope is the inverse of an image's error.
        error = (gain * found + offset - truth).square().mean(1, keepdim=True)
        weight = 1 / error.clamp_min(1e-6)
    changed = (gain * pictures + offset).clamp(0, 1)
    better = _error(changed, originals, logarithmic) < _error(pictures, originals, logarithmic)
    return (gain, offset) if better else (1.0, 0.0)


def _error(pictures: Tensor, originals: Tensor, logarithmic: bool) -> float:
    if logarithmic:
        return float(log_error(pictures, originals))
    return float((pictures - originals).square().mean())
