"""White noise at a stated signal-to-noise ratio.

``SNR = E_s/N_0 = 1/σ²`` per complex symbol of unit power, so each real component carries
``σ²/2``. The SNR is nominal: nothing is renormalised by the received power.
"""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.broadcast import per_image
from semveil.rng import Randomness, normal


def snr_to_noise_variance(snr_db: Tensor | float) -> Tensor:
    """Convert an SNR in dB to the noise variance of a complex symbol: ``σ² = 10^(−SNR/10)``.

    Example:
        >>> snr_to_noise_variance(10.0)
        tensor(0.1000)
    """
    return torch.pow(10.0, -torch.as_tensor(snr_db) / 10)


def noise_variance_to_snr_db(noise_variance: Tensor | float) -> Tensor:
    """Convert the noise variance of a complex symbol to an SNR in dB: ``−10 log₁₀ σ²``.

    Example:
        >>> noise_variance_to_snr_db(0.01)
        tensor(20.)
    """
    return -10 * torch.log10(torch.as_tensor(noise_variance))


def awgn(z: Tensor, snr_db: Tensor | float, *, generator: Randomness = None) -> Tensor:
    """Add circular white Gaussian noise at a given ``E_s/N_0``.

    Args:
        z: Symbols, complex ``[B, ...]``; the SNR holds for unit power per symbol.
        snr_db: ``E_s/N_0`` in dB, one number or one per image ``[B]``.
        generator: Source of randomness; the default generator if omitted.

    Returns:
        ``z + w`` with ``w ~ CN(0, σ²)``, the shape and dtype of ``z``.

    Raises:
        ValueError: If ``z`` is not complex, or ``snr_db`` has neither one value nor ``B``.

    Example:
        >>> awgn(torch.ones(2, 8, dtype=torch.complex64), snr_db=10.0).shape
        torch.Size([2, 8])
    """
    if not z.is_complex():
        raise ValueError(f"awgn needs complex symbols, not {z.dtype}")
    sigma = per_image(snr_to_noise_variance(snr_db), z, "snr_db").sqrt()
    w = normal(tuple(z.shape), dtype=z.dtype, device=z.device, generator=generator)
    return z + (sigma * w).to(z.dtype)
