"""Root-raised-cosine pulses of a single carrier."""

from __future__ import annotations

import torch
from torch import Tensor


def root_raised_cosine_response(frequency: Tensor, roll_off: float) -> Tensor:
    """Return the frequency response of a root-raised-cosine pulse, real, 1 in the passband.

    The squares of the response at frequencies that differ by the symbol rate sum to one, so that
    pulse and matched filter leave no interference between symbols.

    Args:
        frequency: Frequency over symbol rate, real.
        roll_off: Roll-off, 0 to 1.

    Raises:
        ValueError: If the roll-off is out of range.

    Example:
        >>> root_raised_cosine_response(torch.tensor([0.0, 0.5, 0.7]), 0.25)
        tensor([1.0000, 0.7071, 0.0000])
    """
    if not 0 <= roll_off <= 1:
        raise ValueError(f"a roll-off of {roll_off} is not within 0 and 1")
    distance = frequency.abs() - 0.5
    if roll_off == 0:
        return ((distance < 0) | (frequency == -0.5)).to(distance.dtype)
    turn = (distance / roll_off + 0.5).clamp(0, 1)
    return torch.cos(turn * (torch.pi / 2)).clamp(min=0)
