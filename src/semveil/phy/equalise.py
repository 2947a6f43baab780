"""One-tap equalisers, for flat fading and for the subcarriers of OFDM."""

from __future__ import annotations

from torch import Tensor

from semveil.phy.broadcast import per_image, squared_magnitude


def zero_forcing(y: Tensor, h: Tensor) -> Tensor:
    """Divide by the channel, ``y/h``: unbiased, with noise enhancement ``1/|h|²``.

    Args:
        y: Received symbols, complex ``[B, ...]``.
        h: Channel, complex and broadcastable to ``y``: ``[B, 1]`` for flat fading,
            ``[B, 1, N]`` for the subcarriers of ``y [B, S, N]``.

    Example:
        >>> import torch
        >>> zero_forcing(torch.tensor([[2j, 4.0]]), torch.tensor([[2j]]))
        tensor([[1.+0.j, 0.-2.j]])
    """
    return y / h


def mmse(y: Tensor, h: Tensor, noise_variance: Tensor | float) -> Tensor:
    """Equalise with the minimum mean squared error for symbols of unit power.

    ``ẑ = conj(h)·y / (|h|² + σ²)``. The estimate is biased towards zero by
    ``|h|²/(|h|² + σ²)``; divide by that before a decision that depends on the amplitude.

    Args:
        y: Received symbols, complex ``[B, ...]``.
        h: Channel, as for :func:`zero_forcing`.
        noise_variance: ``σ²`` per complex symbol, one number or one per image ``[B]``.

    Example:
        >>> import torch
        >>> mmse(torch.tensor([[2j, 4.0]]), torch.tensor([[2j]]), 0.0)
        tensor([[1.+0.j, 0.-2.j]])
    """
    variance = per_image(noise_variance, y, "noise_variance")
    return (h.conj() / (squared_magnitude(h) + variance)).to(y.dtype) * y
