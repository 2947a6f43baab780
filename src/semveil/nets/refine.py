"""Networks that correct a channel estimate and equalised symbols.

Source: OFDM-guided JSCC (Yang, Bian, Kim, arXiv 2109.05194) and its published code: three 5×5
convolutions with 32 channels take one OFDM symbol as a map of 8×8 subcarriers and return a
correction.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class _Correction(nn.Module):
    """Three complex numbers per subcarrier to a correction of the last of them."""

    def __init__(self, subcarriers: int, width: int) -> None:
        super().__init__()
        self.side = math.isqrt(subcarriers)
        if self.side**2 != subcarriers:
            raise ValueError(f"subcarriers must be a square number, not {subcarriers}")
        last = nn.Conv2d(width, 2, 5, padding=2, bias=False)
        # Our reading: training begins exactly at the closed-form estimate.
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            nn.Conv2d(6, width, 5, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 5, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            last,
        )

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the correction, complex ``[M, N]``, for three complex ``[M, N]``."""
        pairs = torch.view_as_real(torch.stack(inputs, 1)).movedim(3, 2)
        maps = self.layers(pairs.reshape(len(pairs), 6, self.side, self.side))
        correction = maps.flatten(2).mT.float().contiguous()
        return torch.view_as_complex(correction)


class ChannelRefiner(nn.Module):
    """Refines a channel estimate from the pilot and its reception (the mean of all pilots)."""

    def __init__(self, subcarriers: int = 64, width: int = 32) -> None:
        super().__init__()
        self.correction = _Correction(subcarriers, width)

    def forward(self, pilot: Tensor, received: Tensor, estimate: Tensor) -> Tensor:
        """Refine ``[B, N]``, complex, by the pilot ``[N]`` and its reception ``[B, N]``."""
        correction: Tensor = self.correction(pilot.expand_as(received), received, estimate)
        return estimate + correction


class EqualiserRefiner(nn.Module):
    """Refines equalised symbols from the channel estimate and the received symbols."""

    def __init__(self, subcarriers: int = 64, width: int = 32) -> None:
        super().__init__()
        self.correction = _Correction(subcarriers, width)

    def forward(self, estimate: Tensor, received: Tensor, equalised: Tensor) -> Tensor:
        """Refine ``[B, S, N]``, complex, by the estimate ``[B, N]`` and the received symbols."""
        # Every OFDM symbol is processed separately.
        inputs = (estimate.unsqueeze(1).expand_as(received), received, equalised)
        correction = self.correction(*(symbols.flatten(0, 1) for symbols in inputs))
        return equalised + correction.unflatten(0, equalised.shape[:2])
