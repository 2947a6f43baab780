"""Haar-random unitary matrices over the blocks of a message."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semveil.protect.keystream import words


def haar_unitary(words: np.ndarray, size: int) -> Tensor:
    """Turn random words into Haar-distributed unitary matrices of U(k).

    The QR decomposition of a matrix of independent ``CN(0, 1)``, with the phases of R's diagonal
    moved into Q. Source: Mezzadri, "How to generate random matrices from the classical compact
    groups", Notices of the AMS 54(5), 2007.

    Args:
        words: uint32 ``[B, 2k²]``.
        size: ``k``.

    Returns:
        complex128 ``[B, k, k]``.

    Example:
        >>> q = haar_unitary(np.arange(8, dtype=np.uint32)[None] * 2**29, 2)
        >>> torch.allclose(q[0] @ q[0].mH, torch.eye(2, dtype=q.dtype))
        True
    """
    numbers = torch.from_numpy(words.astype(np.float64)).add_(0.5).mul_(2.0**-32)
    radius, angle = numbers.chunk(2, dim=1)
    # |CN(0, 1)|² is exponential (Box and Muller).
    normal = torch.polar((-radius.log()).sqrt(), 2 * torch.pi * angle)
    q, r = torch.linalg.qr(normal.unflatten(1, (size, size)))
    diagonal = r.diagonal(dim1=1, dim2=2)
    return q * (diagonal / diagonal.abs()).unsqueeze(1)


def rotate(symbols: Tensor, key: bytes, messages: Tensor, back: bool) -> Tensor:
    """Multiply every block of every message by its own unitary matrix.

    Memory and keystream grow with ``B·n·s²`` for ``n`` blocks of ``s`` symbols, time with
    ``B·n·s³``.

    Args:
        symbols: complex ``[B, n, s]``.
        key: 32 bytes, of this purpose.
        messages: Counters, int64 ``[B]``.
        back: Multiply by the inverse instead.

    Returns:
        complex ``[B, n, s]``.

    Example:
        >>> z = torch.tensor([[[1.0, 1j, 0]]])
        >>> there = rotate(z, bytes(32), torch.tensor([0]), back=False)
        >>> torch.allclose(rotate(there, bytes(32), torch.tensor([0]), back=True), z, atol=1e-6)
        True
    """
    count, size = symbols.shape[1:]
    numbers = words(key, messages, 2 * count * size**2, bits=32)
    unitary = haar_unitary(numbers.reshape(-1, 2 * size**2), size)
    # The decomposition runs in double precision on the processor, where the keystream is, so that
    # Alice's and Bob's matrices differ by less than the symbols' precision.
    unitary = unitary.to(symbols.device, symbols.dtype).unflatten(0, (-1, count))
    return ((unitary.mH if back else unitary) @ symbols.unsqueeze(3)).squeeze(3)
