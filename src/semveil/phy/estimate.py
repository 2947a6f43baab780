"""Channel estimates from known pilots."""

from __future__ import annotations

from torch import Tensor

from semveil.phy.broadcast import per_image, squared_magnitude


def least_squares(y_pilot: Tensor, pilot: Tensor) -> Tensor:
    """Estimate the channel at each pilot on its own, ``ĥ = y/p``.

    Its error is ``CN(0, σ²/|p|²)``, independent between pilots.

    Args:
        y_pilot: Received pilots, complex ``[B, ...]``.
        pilot: Sent pilots, complex and broadcastable to ``y_pilot``.

    Returns:
        Channel estimates, the shape of ``y_pilot``.

    Example:
        >>> import torch
        >>> least_squares(torch.tensor([[2j, 4.0]]), torch.tensor([1j, 2.0]))
        tensor([[2.+0.j, 2.+0.j]])
    """
    return y_pilot / pilot


def least_squares_flat(y_pilots: Tensor, pilots: Tensor) -> Tensor:
    """Estimate one flat coefficient per image from all of its pilots.

    ``ĥ = Σ conj(p)·y / Σ|p|²``: unbiased, with error variance ``σ²/Σ|p|²``.

    Args:
        y_pilots: Received pilots, complex ``[B, P]``.
        pilots: Sent pilots, complex ``[P]``.

    Returns:
        Channel estimates, complex ``[B, 1]``.

    Example:
        >>> import torch
        >>> least_squares_flat(torch.tensor([[2j, 2j]]), torch.ones(2, dtype=torch.complex64))
        tensor([[0.+2.j]])
    """
    matched = (y_pilots * pilots.conj()).sum(-1, keepdim=True)
    return matched / squared_magnitude(pilots).sum()


def lmmse_flat(y_pilots: Tensor, pilots: Tensor, noise_variance: Tensor | float) -> Tensor:
    """Estimate one flat coefficient per image, knowing that ``E|h|² = 1``.

    ``ĥ = Σ conj(p)·y / (Σ|p|² + σ²)``; its error variance is ``σ²/(Σ|p|² + σ²)``, which is
    the least that any linear estimator (and for Rayleigh fading, any estimator) can have.

    Args:
        y_pilots: Received pilots, complex ``[B, P]``.
        pilots: Sent pilots, complex ``[P]``.
        noise_variance: ``σ²`` per complex symbol, one number or one per image ``[B]``.

    Returns:
        Channel estimates, complex ``[B, 1]``.

    Raises:
        ValueError: If ``noise_variance`` has neither one value nor ``B``.

    Example:
        >>> import torch
        >>> lmmse_flat(torch.tensor([[2j, 2j]]), torch.ones(2, dtype=torch.complex64), 2.0)
        tensor([[0.+1.j]])
    """
    variance = per_image(noise_variance, y_pilots, "noise_variance")
    matched = (y_pilots * pilots.conj()).sum(-1, keepdim=True)
    return matched / (squared_magnitude(pilots).sum() + variance).to(matched.real.dtype)
