"""Flat block fading: one complex coefficient per image; drawing and applying are separate.

Every model has ``E|h|² = 1`` on average over images. Nothing is normalised by the received
power.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.broadcast import per_image
from semveil.rng import Randomness, normal, uniform


def rayleigh(
    batch: int,
    *,
    generator: Randomness = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.complex64,
) -> Tensor:
    """Draw Rayleigh block fading, ``h ~ CN(0, 1)``, one draw per image: complex ``[B, 1]``.

    Args:
        batch: Number of images ``B``.
        generator: Source of randomness; the default generator if omitted.
        device: Device of the result.
        dtype: Complex dtype.

    Example:
        >>> rayleigh(4).shape
        torch.Size([4, 1])
    """
    return normal((batch, 1), dtype=dtype, device=device, generator=generator)


def rician(
    batch: int,
    k_factor_db: Tensor | float,
    *,
    generator: Randomness = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.complex64,
) -> Tensor:
    """Draw Rician block fading with unit mean power, one draw per image: complex ``[B, 1]``.

    ``h = √(K/(K+1))·exp(jφ) + √(1/(K+1))·CN(0, 1)``. The phase ``φ`` of the line of sight is
    uniform and fresh for every image, as for a receiver that moves by many wavelengths between
    images; for ``K → −∞ dB`` the distribution is that of :func:`rayleigh`, for ``K → +∞ dB`` only a
    random phase is left.

    Args:
        batch: Number of images ``B``.
        k_factor_db: Power of the line of sight over that of the scatter, in dB, one number or
            one per image ``[B]``.
        generator: As for :func:`rayleigh`.
        device: As for :func:`rayleigh`.
        dtype: As for :func:`rayleigh`.

    Example:
        >>> rician(4, 10.0).shape
        torch.Size([4, 1])
    """
    scatter = normal((batch, 1), dtype=dtype, device=device, generator=generator)
    turn = uniform((batch, 1), dtype=scatter.real.dtype, device=device, generator=generator)
    # sigmoid(ln K) = K/(K+1), exact at both ends of the scale
    log_k = per_image(k_factor_db, scatter, "k_factor_db") * (torch.log(torch.tensor(10.0)) / 10)
    sight = torch.polar(torch.ones_like(turn), 2 * torch.pi * turn)
    h = torch.sigmoid(log_k).sqrt() * sight + torch.sigmoid(-log_k).sqrt() * scatter
    return h.to(dtype)


def flat(h: Tensor, z: Tensor) -> Tensor:
    """Apply one fading coefficient per image to all of its symbols.

    Args:
        h: Coefficients, complex ``[B, 1]`` or ``[B]``.
        z: Symbols, complex ``[B, ...]``.

    Raises:
        ValueError: If there is not one coefficient for each image.

    Example:
        >>> flat(torch.tensor([[2j], [1]]), torch.ones(2, 2, dtype=torch.complex64))
        tensor([[0.+2.j, 0.+2.j],
                [1.+0.j, 1.+0.j]])
    """
    if h.numel() != z.shape[0]:
        raise ValueError(f"{h.numel()} fading coefficients for {z.shape[0]} images")
    return h.reshape(-1, *[1] * (z.ndim - 1)) * z
