"""Cyclic redundancy checks of 5G: 3GPP TS 38.212, section 5.1.

A random error passes the check with probability ``2^−bits``.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import torch
from torch import Tensor

Crc = Literal["crc16", "crc24a"]

_POWERS = {
    "crc16": (16, 12, 5, 0),
    "crc24a": (24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0),
}
"""Powers of the generator polynomials."""


def append(bits: Tensor, kind: Crc) -> Tensor:
    """Append the check bits of each row: zeros and ones of any dtype, ``[B, n]``, n ≥ 1.

    Raises:
        ValueError: If there is no such check, or nothing to check.

    Example:
        >>> append(torch.tensor([[1]]), "crc16")  # the powers 12, 5 and 0
        tensor([[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]])
    """
    length(kind)
    if bits.ndim != 2 or not bits.shape[1]:
        raise ValueError(f"bits are {list(bits.shape)}, not [B, n] with n of one or more")
    remainders = _remainders(kind, bits.shape[1]).to(bits.device)
    # Sums of fewer than 2^24 ones are exact in float32, whose matrix product is the fastest.
    check = (bits.float() @ remainders).remainder_(2)
    return torch.cat([bits, check.to(bits.dtype)], 1)


def check(bits: Tensor, kind: Crc) -> Tensor:
    """Tell which rows, as :func:`append` returns them, agree with their check bits, bool ``[B]``.

    Example:
        >>> sent = append(torch.tensor([[1, 0, 1]]), "crc24a")
        >>> check(sent, "crc24a"), check(1 - sent, "crc24a")
        (tensor([True]), tensor([False]))
    """
    return (append(bits[:, : -length(kind)], kind) == bits).all(1)


def length(kind: Crc) -> int:
    """Return the number of check bits."""
    if kind not in _POWERS:
        raise ValueError(f"unknown check '{kind}': there are {' and '.join(_POWERS)}")
    return _POWERS[kind][0]


@cache
def _remainders(kind: Crc, n: int) -> Tensor:
    """Return each bit's contribution to the check bits, float ``[n, length]``."""
    # A bit followed by j others stands for x^(length + j); its contribution is the remainder.
    degree = length(kind)
    polynomial = sum(1 << power for power in _POWERS[kind])
    remainder, rows = polynomial ^ (1 << degree), list[int]()
    for _ in range(n):
        rows.append(remainder)
        remainder <<= 1
        if remainder >> degree:
            remainder ^= polynomial
    shifts = torch.arange(degree - 1, -1, -1)
    return ((torch.tensor(rows[::-1]).unsqueeze(1) >> shifts) & 1).float()
