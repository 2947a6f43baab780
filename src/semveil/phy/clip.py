"""Peak limiting of a waveform, as a power amplifier does."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.broadcast import per_image, squared_magnitude


def clip(z: Tensor, ratio: float, *, straight_through: bool = True) -> Tensor:
    """Limit the amplitude of every image's waveform to ``ratio`` times its root mean square.

    The phase is kept. The backward pass treats the limiter as the identity (the straight-through
    estimator), as OFDM-guided JSCC (Yang, Bian, Kim, 2021) does, so that clipped samples still
    get a gradient; ``straight_through=False`` gives the exact gradient. Clipping loses power:
    :func:`~semveil.phy.power.normalise_power` restores it.

    Args:
        z: Waveform, complex ``[B, ...]``.
        ratio: Clipping ratio, peak amplitude over root mean square; must be positive.
        straight_through: Whether the gradient passes the limiter unchanged.

    Returns:
        Limited waveform, the shape of ``z``.

    Raises:
        ValueError: If ``ratio`` is not positive.

    Example:
        >>> clip(torch.tensor([[2, 0, 0, 0j]]), 1.5)
        tensor([[1.5000+0.j, 0.0000+0.j, 0.0000+0.j, 0.0000+0.j]])
    """
    if not ratio > 0:
        raise ValueError(f"a clipping ratio must be positive, not {ratio}")
    if straight_through:
        return z + (_limit(z.detach(), ratio) - z.detach())
    return _limit(z, ratio)


def _limit(z: Tensor, ratio: float) -> Tensor:
    power = squared_magnitude(z)
    peak = ratio**2 * per_image(power.flatten(1).mean(1), z)
    loud = power > peak
    # The inner `where` keeps the root's infinite slope at zero out of the unused branch.
    gain = (peak / torch.where(loud, power, 1.0)).masked_fill(~loud, 1.0).sqrt()
    return gain * z
