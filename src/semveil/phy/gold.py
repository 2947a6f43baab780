"""The pseudo-random sequence of 5G: 3GPP TS 38.211, section 5.2.1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_ADVANCE, _DEGREE = 1600, 31


def gold_sequence(length: int, seed: int) -> Tensor:
    """Return the length-31 Gold sequence of 5G, uint8 zeros and ones ``[length]``.

    TS 38.211, section 5.2.1: the sum of two maximum-length sequences; ``seed`` (``c_init``) is the
    state of the second. The first 1,600 bits are left out, as there.

    Args:
        length: Number of bits.
        seed: Initial state of the second register, 0 to 2³¹ − 1.

    Raises:
        ValueError: If the seed does not fit 31 bits.

    Example:
        >>> gold_sequence(8, seed=1)
        tensor([0, 0, 0, 0, 0, 0, 1, 0], dtype=torch.uint8)
    """
    if not 0 <= seed < 1 << _DEGREE:
        raise ValueError(f"seed {seed} does not fit the {_DEGREE} bits of the register")
    total = length + _ADVANCE
    bits = _register((3, 0), 1, total) ^ _register((3, 2, 1, 0), seed, total)
    return torch.from_numpy(bits[_ADVANCE:])


def _register(lags: Sequence[int], state: int, length: int) -> np.ndarray:
    """Return ``x[n + 31] = Σ x[n + lag]`` over GF(2), uint8 ``[length]``."""
    out = np.zeros(max(length, _DEGREE), np.uint8)
    out[:_DEGREE] = [state >> bit & 1 for bit in range(_DEGREE)]
    have, scale = _DEGREE, 1
    while have < length:
        # Squaring a polynomial over GF(2) squares its powers: all lags may be doubled together,
        # as soon as enough bits are there.
        while have >= 2 * scale * _DEGREE:
            scale *= 2
        first = have - scale * _DEGREE
        step = min(length - have, scale * (_DEGREE - max(lags)))
        for lag in lags:
            out[have : have + step] ^= out[first + scale * lag : first + scale * lag + step]
        have += step
    return out[:length]
