"""Check-node update of a layer, for all its checks and all codewords at once.

Magnitudes are integers: 16 steps are one unit of LLR.
"""

from __future__ import annotations

import torch
from torch import Tensor

UNIT = 16
"""Integer steps per unit of LLR."""

_CORRECTION = 9
"""Correction for equal magnitudes: 0.56, near ``ln 2``."""


def boxplus(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Write the magnitude of the sum of two bits, ``min(a, b) − max(c − |a − b|/4, 0)``.

    The exact magnitude is ``min(a, b) − ln(1 + e^−|a−b|) + ln(1 + e^−(a+b))``. The first
    correction is kept, as a straight line (Chen et al., "Reduced-complexity decoding of LDPC
    codes", IEEE Trans. Commun. 2005); the second, small unless both magnitudes are small, is
    omitted: our reading. A negative result means zero and stays negative in later combinations.
    Magnitudes are int16, at most 8191 each; ``out`` is neither ``a`` nor ``b``.
    """
    torch.minimum(a, b, out=out)
    # max(c − |a − b|/4, 0) below the minimum is the lower of the minimum and (a + b + 2·min)/4 − c.
    lowered = (a + b).add_(out, alpha=2)
    lowered.bitwise_right_shift_(_int16(2, a)).sub_(_CORRECTION)
    torch.minimum(out, lowered, out=out)


def extrinsic(x: Tensor, out: Tensor) -> None:
    """Combine, for each of a check's ``d ≥ 2`` magnitudes, all the others: int16 ``[d, ...]``.

    Neighbours are combined in pairs, the pairs recursively, and each magnitude then with the
    result outside its pair: ``3(d − 2)`` combinations, as few as by a forward and backward pass
    along the check, in fewer and larger operations.
    """
    d = len(x)
    if d == 2:
        out[0], out[1] = x[1], x[0]
        return
    if d == 3:
        for i in range(3):
            boxplus(x[i - 1], x[i - 2], out[i])
        return
    half = d // 2
    left, right, odd = x[:half], x[half : 2 * half], x[2 * half :]
    nodes, outside = x.new_empty(2, d - half, *x.shape[1:])
    boxplus(left, right, nodes[:half])
    nodes[half:] = odd
    extrinsic(nodes, outside)
    boxplus(outside[:half], right, out[:half])
    boxplus(outside[:half], left, out[half : 2 * half])
    out[2 * half :] = outside[half:]


def parity(x: Tensor) -> Tensor:
    """Return the bitwise sum modulo two over the first dimension, of two or more integers each."""
    half = len(x) // 2
    folded = x[:half] ^ x[half : 2 * half]
    if len(x) % 2:
        folded[0] ^= x[-1]
    while len(folded) > 1:
        half = len(folded) // 2
        if len(folded) % 2:
            folded[0] ^= folded[-1]
        folded = folded[:half].bitwise_xor_(folded[half : 2 * half])
    return folded[0]


def negative(x: Tensor) -> Tensor:
    """Return all ones (minus one) where an integer is negative, else zero; int16, a new tensor."""
    return x >> _int16(15, x)


def _int16(value: int, like: Tensor) -> Tensor:
    # Converting a Python number at every call would take as long as the shift.
    return torch.full((), value, dtype=torch.int16, device=like.device)
