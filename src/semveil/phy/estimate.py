"""Channel estimates from known pilots."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from semveil.phy.broadcast import per_image, squared_magnitude


def least_squares(y_pilot: Tensor, pilot: Tensor) -> Tensor:
    """Estimate the channel at each pilot separately, ``ĥ = y/p``.

    Its error is ``CN(0, σ²/|p|²)``, independent between pilots.

    Args:
        y_pilot: Received pilots, complex ``[B, ...]``.
        pilot: Sent pilots, complex and broadcastable to ``y_pilot``.

    Example:
        >>> least_squares(torch.tensor([[2j, 4.0]]), torch.tensor([1j, 2.0]))
        tensor([[2.+0.j, 2.+0.j]])
    """
    return y_pilot / pilot


def least_squares_flat(y_pilots: Tensor, pilots: Tensor) -> Tensor:
    """Estimate one flat coefficient per image from all of its pilots, complex ``[B, 1]``.

    ``ĥ = Σ conj(p)·y / Σ|p|²``: unbiased, with error variance ``σ²/Σ|p|²``. Arguments are those
    of :func:`lmmse_flat`.

    Example:
        >>> least_squares_flat(torch.tensor([[2j, 2j]]), torch.ones(2, dtype=torch.complex64))
        tensor([[0.+2.j]])
    """
    matched = (y_pilots * pilots.conj()).sum(-1, keepdim=True)
    return matched / squared_magnitude(pilots).sum()


def lmmse_flat(y_pilots: Tensor, pilots: Tensor, noise_variance: Tensor | float) -> Tensor:
    """Estimate one flat coefficient per image with the prior ``E|h|² = 1``, complex ``[B, 1]``.

    ``ĥ = Σ conj(p)·y / (Σ|p|² + σ²)``; its error variance is ``σ²/(Σ|p|² + σ²)``, the
    minimum over linear estimators (and, for Rayleigh fading, over all estimators).

    Args:
        y_pilots: Received pilots, complex ``[B, P]``.
        pilots: Sent pilots, complex ``[P]``.
        noise_variance: ``σ²`` per complex symbol, one number or one per image ``[B]``.

    Example:
        >>> lmmse_flat(torch.tensor([[2j, 2j]]), torch.ones(2, dtype=torch.complex64), 2.0)
        tensor([[0.+1.j]])
    """
    variance = per_image(noise_variance, y_pilots, "noise_variance")
    matched = (y_pilots * pilots.conj()).sum(-1, keepdim=True)
    return matched / (squared_magnitude(pilots).sum() + variance).to(matched.real.dtype)


def lmmse_multipath(
    h_ls: Tensor, profile: Tensor, noise_variance: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Smooth a per-subcarrier estimate with the channel's power-delay profile.

    The channel's covariance over subcarriers is ``R = F·diag(p)·Fᴴ`` with ``F`` the first
    ``L`` columns of the DFT, so that the LMMSE filter ``R(R + σ²I)⁻¹`` is diagonal in the taps:
    transform, scale tap ``l`` by ``p_l/(p_l + σ²/N)``, transform back. No matrix is inverted,
    and every image may have its own noise variance.

    Args:
        h_ls: Unbiased estimate on every subcarrier in FFT order, complex ``[B, N]``.
        profile: Mean tap powers ``p``, positive, real ``[L]`` with ``L ≤ N``.
        noise_variance: Error variance of ``h_ls`` per subcarrier, one number or one per image.

    Returns:
        The estimate, complex ``[B, N]``, and its error variance per subcarrier,
        ``Σ_l p_l·(σ²/N)/(p_l + σ²/N)``, ``[]`` or ``[B]`` like the noise variance.

    Raises:
        ValueError: If ``noise_variance`` has neither one value nor ``B``, or the profile has
            more taps than there are subcarriers.

    Example:
        >>> h, error = lmmse_multipath(torch.ones(1, 4, dtype=torch.complex64), torch.ones(1), 4.0)
        >>> h, error
        (tensor([[0.5000+0.j, 0.5000+0.j, 0.5000+0.j, 0.5000+0.j]]), tensor(0.5000))
    """
    n, taps = h_ls.shape[1], profile.shape[0]
    if taps > n:
        raise ValueError(f"a profile of {taps} taps does not fit {n} subcarriers")
    noise = per_image(noise_variance, h_ls, "noise_variance") / n
    gain = (profile / (profile + noise)).to(profile.dtype)
    smooth = torch.fft.ifft(h_ls)[:, :taps] * gain
    return torch.fft.fft(pad(smooth, (0, n - taps))), (profile * (1 - gain)).sum(-1)
