"""Transmit power: one unit per complex symbol, for every image separately."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.phy.broadcast import squared_magnitude


def average_power(z: Tensor) -> Tensor:
    """Return the mean of ``|z|²`` per symbol, per image: complex ``[B, ...]`` → real ``[B]``.

    Example:
        >>> average_power(torch.tensor([[1 + 1j, 0], [2, 2]]))
        tensor([1., 4.])
    """
    return squared_magnitude(z).flatten(1).mean(1)


def normalise_power(z: Tensor) -> Tensor:
    """Scale every image to unit mean power per symbol, ``‖z‖² = k``.

    Each image has its own gain, independent of the other images of the batch. An image that is
    zero everywhere stays zero, with zero gradient.

    Example:
        >>> z = torch.tensor([[3 + 4j, 0, 0, 0], [0, 0, 0, 0]])
        >>> normalise_power(z)
        tensor([[1.2000+1.6000j, 0.0000+0.0000j, 0.0000+0.0000j, 0.0000+0.0000j],
                [0.0000+0.0000j, 0.0000+0.0000j, 0.0000+0.0000j, 0.0000+0.0000j]])
    """
    parts = torch.view_as_real(z.resolve_conj())
    return torch.view_as_complex(normalise_reals(parts.flatten(1)).reshape(parts.shape))


def normalise_reals(reals: Tensor) -> Tensor:
    """Scale the reals of every image, two to a symbol, to unit mean power per symbol.

    :func:`normalise_power` in real arithmetic, as graphs of other libraries need it.

    Args:
        reals: float ``[B, 2k]``.

    Returns:
        float ``[B, 2k]`` with ``Σx² = k`` in every row; a row of zeros stays zero.

    Example:
        >>> normalise_reals(torch.tensor([[3.0, 4.0, 0.0, 0.0]]))
        tensor([[0.8485, 1.1314, 0.0000, 0.0000]])
    """
    # The result does not depend on the scale of an image, so dividing by its peak first (a
    # constant to autograd) changes no gradient and keeps the squares from under- or overflowing.
    peak = reals.detach().abs().amax(1, keepdim=True)
    flat = reals / torch.where(peak > 0, peak, 1.0)
    energy = flat.square().sum(1, keepdim=True)
    symbols = flat.shape[1] // 2
    return flat * (symbols / torch.where(energy > 0, energy, 1.0)).sqrt()


def papr_db(z: Tensor) -> Tensor:
    """Return the peak-to-average power ratio of every image's waveform, complex ``[B, ...]``.

    ``max |z|² / mean |z|²`` in dB, real ``[B]``; ``nan`` for an image that is zero.

    Example:
        >>> papr_db(torch.tensor([[2 + 0j, 0, 0, 0]]))
        tensor([6.0206])
    """
    power = squared_magnitude(z).flatten(1)
    return 10 * torch.log10(power.amax(1) / power.mean(1))
