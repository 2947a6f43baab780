"""Rounds of permutation, signs and Hadamard transforms on the reals: mixing without a proof.

What Eve sees is close to spread evenly over the sphere, but its law depends on the image, and no
bound is known here. It mixes real and imaginary parts, so Bob has to undo the channel's phase
before it is reversed.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import hadamard
from torch import Tensor

from semveil.protect.cover import as_reals, as_symbols
from semveil.protect.keystream import words
from semveil.protect.permute import permutations

_ROUNDS = 3


def spread(reals: Tensor, back: bool = False) -> Tensor:
    """Apply an orthogonal transform of ±1 to everything, whatever the dimension.

    With ``p`` the largest power of two up to ``d``: the Hadamard matrix of size ``p`` on the
    first ``p`` coordinates and then, where some are left, on the last ``p``.

    Args:
        reals: float ``[B, d]``.
        back: Apply the inverse instead.

    Returns:
        float ``[B, d]``.

    Example:
        >>> spread(torch.tensor([[1.0, 0.0, 2.0]]))
        tensor([[ 0.7071,  1.9142, -0.9142]])
    """
    size = reals.shape[1]
    width = 2 ** (size.bit_length() - 1)
    matrix = torch.from_numpy(hadamard(width)).to(reals) / width**0.5
    left = size - width
    steps = [lambda x: torch.cat([x[:, :width] @ matrix, x[:, width:]], 1)]
    if left:
        steps.append(lambda x: torch.cat([x[:, :left], x[:, left:] @ matrix], 1))
    # Each step is its own inverse: the matrix is symmetric and orthogonal.
    for step in reversed(steps) if back else steps:
        reals = step(reals)
    return reals


def rotate(symbols: Tensor, key: bytes, messages: Tensor, back: bool) -> Tensor:
    """Permute, flip signs and spread, three times; every message in its own way.

    Args:
        symbols: complex ``[B, k]``.
        key: 32 bytes, of this purpose.
        messages: Counters, int64 ``[B]``.
        back: Undo it instead.

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
    # A permutation does not look at the lowest bit of a word: it is free to be the sign.
    sign = 1 - 2 * torch.from_numpy((random & np.uint64(1)).astype(np.int64))
    signs = sign.reshape(shape).to(reals).unbind(1)
    orders = permutations(random).reshape(shape).to(reals.device).unbind(1)
    if back:
        for order, sign in zip(reversed(orders), reversed(signs), strict=True):
            reals = torch.zeros_like(reals).scatter(1, order, sign * spread(reals, back=True))
    else:
        for order, sign in zip(orders, signs, strict=True):
            reals = spread(sign * reals.gather(1, order))
    return as_symbols(reals)
