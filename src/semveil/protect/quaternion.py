"""Random rotations of blocks of two complex symbols: SU(2), by unit quaternions.

With ``j·z = z̄·j``, a pair of symbols is the quaternion ``z₁ + z₂·j``. A complex channel
coefficient multiplies it from the left; the rotation multiplies it from the right, so the two
commute. docs/rotation.md states the consequences, with proofs.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from semveil.errors import SemveilError
from semveil.protect.keystream import words


def unit_quaternions(words: np.ndarray, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Turn random words into unit quaternions ``a + b·j``, uniform on S³.

    ``a = √(1−u₀)·e^{2πi·u₁}``, ``b = √u₀·e^{2πi·u₂}`` with ``u`` uniform in (0, 1). Source:
    Shoemake, "Uniform random rotations", Graphics Gems III, 1992.

    Args:
        words: uint32 ``[B, 3n]``.
        dtype: Complex dtype of the result.

    Returns:
        ``a`` and ``b``, complex ``[B, n]``, ``|a|² + |b|² = 1``.

    Example:
        >>> a, b = unit_quaternions(np.array([[2**30, 0, 2**30]], np.uint32), torch.complex64)
        >>> round(float(a.abs()), 4), round(float(b.imag), 4)
        (0.866, 0.5)
    """
    real = torch.zeros((), dtype=dtype).real.dtype
    # Halfway between two words, so that the ends of (0, 1) are excluded.
    numbers = torch.from_numpy(words.astype(np.float64)).add_(0.5).mul_(2.0**-32)
    share, first, second = numbers.to(real).chunk(3, dim=1)
    turn = 2 * torch.pi
    return (
        torch.polar((1 - share).sqrt(), turn * first),
        torch.polar(share.sqrt(), turn * second),
    )


def rotate(symbols: Tensor, key: bytes, messages: Tensor, back: bool) -> Tensor:
    """Multiply every block by its own unit quaternion from the right.

    ``(z₁, z₂) → (a·z₁ − b̄·z₂, b·z₁ + ā·z₂)``: linear over the complex numbers, and unitary.

    Args:
        symbols: complex ``[B, k]``, ``k`` even.
        key: 32 bytes, of this purpose.
        messages: Counters, int64 ``[B]``.
        back: Multiply by the inverse instead.

    Returns:
        complex ``[B, k]``.

    Raises:
        SemveilError: If ``k`` is odd.

    Example:
        >>> z = torch.tensor([[1.0, 1j]])
        >>> there = rotate(z, bytes(32), torch.tensor([0]), back=False)
        >>> torch.allclose(rotate(there, bytes(32), torch.tensor([0]), back=True), z)
        True
    """
    if symbols.shape[1] % 2:
        raise SemveilError(
            f"a rotation of blocks needs an even number of symbols (a latent dimension that is a "
            f"multiple of four), not {symbols.shape[1]}"
        )
    random = words(key, messages, 3 * symbols.shape[1] // 2, bits=32)
    a, b = (part.to(symbols.device) for part in unit_quaternions(random, symbols.dtype))
    if back:
        a, b = a.conj(), -b
    first, second = symbols.unflatten(1, (-1, 2)).unbind(2)
    pair = (a * first - b.conj() * second, b * first + a.conj() * second)
    return torch.stack(pair, dim=2).flatten(1)
