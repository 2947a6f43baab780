"""Meeting a perturbation-to-signal ratio exactly, and the control of equal power."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.broadcast import per_image, squared_magnitude
from semveil.rng import Randomness, normal


def to_psr(direction: Tensor, signal: Tensor, psr_db: Tensor | float) -> Tensor:
    """Scale a direction so that it meets a PSR exactly, image by image.

    Args:
        direction: Any complex ``[B, k]``; an image whose direction is zero stays zero.
        signal: What it is added to, complex ``[B, k]``.
        psr_db: ``10 log10(‖δ‖²/‖signal‖²)``, one number or one per image.

    Returns:
        Perturbation δ, complex ``[B, k]``.

    Raises:
        ValueError: If ``psr_db`` has neither one value nor ``B``.

    Example:
        >>> signal = torch.ones(1, 4, dtype=torch.complex64)
        >>> to_psr(signal * 3, signal, -20.0).abs()
        tensor([[0.1000, 0.1000, 0.1000, 0.1000]])
    """
    # The result does not depend on the direction's size: divided by its peak first, squares of
    # numbers near the ends of the range neither vanish nor overflow.
    peak = direction.detach().abs().amax(1, keepdim=True)
    direction = direction / torch.where(peak > 0, peak, 1.0)
    energy = squared_magnitude(direction).sum(1, keepdim=True)
    ratio = per_image(
        torch.pow(10.0, torch.as_tensor(psr_db, device=signal.device) / 10), signal, "psr_db"
    )
    wanted = ratio * squared_magnitude(signal).sum(1, keepdim=True)
    return direction * (wanted / torch.where(energy > 0, energy, 1.0)).sqrt()


def jamming(signal: Tensor, psr_db: Tensor | float, *, generator: Randomness = None) -> Tensor:
    """Draw Gaussian noise of exactly the energy that a PSR allows: the control of every attack.

    Args:
        signal: What it is added to, complex ``[B, k]``.
        psr_db: PSR in dB, one number or one per image.
        generator: Source of randomness.

    Returns:
        Perturbation, complex ``[B, k]``.

    Example:
        >>> jamming(torch.ones(2, 4, dtype=torch.complex64), -10.0).abs().square().sum(1)
        tensor([0.4000, 0.4000])
    """
    noise = normal(
        tuple(signal.shape), dtype=signal.dtype, device=signal.device, generator=generator
    )
    return to_psr(noise, signal, psr_db)
