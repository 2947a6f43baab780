"""Pilot sequences of constant modulus."""

from __future__ import annotations

import torch
from torch import Tensor


def zadoff_chu(
    length: int,
    *,
    root: int = 1,
    dtype: torch.dtype = torch.complex64,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Return a Zadoff-Chu sequence: constant modulus in time and in frequency.

    ``exp(−jπ·u·n(n+c)/N)`` with ``c = N mod 2`` (Chu, 1972). Every subcarrier gets
    the same power, and the waveform has no peaks.

    Args:
        length: Length ``N``.
        root: Root ``u``, coprime to ``N``.
        dtype: Complex dtype.
        device: Device of the result.

    Returns:
        Sequence of modulus one, complex ``[N]``.

    Example:
        >>> zadoff_chu(4).abs()
        tensor([1., 1., 1., 1.])
    """
    n = torch.arange(length, device=device)
    # The phase is reduced modulo 2π in integers, which keeps long sequences exact.
    turn = (root * n * (n + length % 2)) % (2 * length)
    # Not `dtype.to_real()`, which torch.compile cannot trace.
    real = torch.float64 if dtype == torch.complex128 else torch.float32
    angle = turn.to(real) * (-torch.pi / length)
    return torch.polar(torch.ones_like(angle), angle)
