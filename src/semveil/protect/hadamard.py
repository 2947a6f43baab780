"""Rounds of permutation, signs and Hadamard transforms on the reals, without a security proof.

The waveform is close to uniform on the sphere, but its distribution depends on the image, and no
bound is known. The transform mixes real and imaginary parts, so Bob has to remove the channel's
phase before he reverses it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semveil.protect.keyed_transform import as_reals, as_symbols
from semveil.protect.keystream import words
from semveil.protect.permute import permutations

_ROUNDS = 3


def hadamard(reals: Tensor) -> Tensor:
    """Multiply by the Hadamard matrix of Sylvester's order, scaled to be orthogonal.

    Sums and differences only: autocast would compute a matrix product in bfloat16.

    Args:
        reals: float ``[B, p]``, ``p`` a power of two.

    Returns:
        float ``[B, p]``; applied twice, it is the identity.

    Example:
        >>> hadamard(torch.tensor([[1.0, 0.0, 0.0, 3.0]]))
        tensor([[ 2., -1., -1.,  2.]])
    """
    size, half = reals.shape[1], 1
    while half < size:
        first, second = reals.unflatten(1, (-1, 2, half)).unbind(2)
        reals = torch.stack([first + second, first - second], dim=2).flatten(1)
        half *= 2
    return reals / size**0.5


def spread(reals: Tensor, back: bool = False) -> Tensor:
    """Apply an orthogonal transform that spreads every coordinate, whatever the dimension.

    With ``p`` the largest power of two up to ``d``: :func:`hadamard` on the first ``p``
    coordinates and then, where some are left, on the last ``p``.

    Args:
        reals: float ``[B, d]``.
        back: Apply the inverse instead.

    Returns:
        float ``[B, d]``.

    Example:
        >>> x = torch.tensor([[1.0, 0.0, 2.0]])
        >>> spread(x)
        tensor([[ 0.7071,  1.9142, -0.9142]])
        >>> torch.allclose(spread(spread(x), back=True), x, atol=1e-6)
        True
    """
    size = reals.shape[1]
    width = 2 ** (size.bit_length() - 1)
    if width == size:
        return hadamard(reals)
    for start in (size - width, 0) if back else (0, size - width):
        before, part, after = reals.split([start, width, size - width - start], dim=1)
        reals = torch.cat([before, hadamard(part), after], dim=1)
    return reals


def rotate(symbols: Tensor, key: bytes, messages: Tensor, back: bool) -> Tensor:
    """Permute, flip signs and spread, three times, with fresh randomness for every message.

    Args:
        symbols: complex ``[B, k]``.
        key: 32 bytes, of this purpose.
        messages: Counters, int64 ``[B]``.
        back: Apply the inverse instead.

    Returns:
        complex ``[B, k]``.

    Example:
        >>> z = torch.tensor([[1.0, 1j, 0]])
        >>> there = rotate(z, bytes(32), torch.tensor([0]), back=False)
        >>> torch.allclose(rotate(there, bytes(32), torch.tensor([0]), back=True), z, atol=1e-6)
        True
    """
    reals = as_reals(symbols)
    size = reals.shape[1]
    random = words(key, messages, _ROUNDS * size, bits=64).reshape(-1, size)
    shape = (len(symbols), _ROUNDS, size)
    # A permutation does not use the lowest bit of a word, which gives the sign.
    lowest = torch.from_numpy((random & np.uint64(1)).astype(np.int64))
    signs = (1 - 2 * lowest).reshape(shape).to(reals).unbind(1)
    orders = permutations(random).reshape(shape).to(reals.device).unbind(1)
    if back:
        for order, sign in zip(reversed(orders), reversed(signs), strict=True):
            reals = torch.zeros_like(reals).scatter(1, order, sign * spread(reals, back=True))
    else:
        for order, sign in zip(orders, signs, strict=True):
            reals = spread(sign * reals.gather(1, order))
    return as_symbols(reals)
