"""Filtering and decimation of a stream of samples."""

from __future__ import annotations

import torch
from torch import Tensor

_SPAN = 16
"""Half of the filter's length, in samples after decimation."""


class Decimator:
    """Keeps one in ``factor`` samples of a stream behind a low-pass filter, without delay.

    A windowed sinc whose gain is 1 in the band and a half at the edge of the new one.

    Args:
        factor: Samples per sample that is kept.

    Example:
        >>> decimator = Decimator(2)
        >>> kept = torch.cat([decimator.feed(torch.ones(400) + 0j), decimator.finish()])
        >>> kept.shape, bool((kept[50:-50] - 1).abs().max() < 1e-4)
        (torch.Size([200]), True)
    """

    def __init__(self, factor: int) -> None:
        self.factor = factor
        reach = _SPAN * factor
        place = torch.arange(-reach, reach + 1, dtype=torch.float64)
        window = torch.kaiser_window(2 * reach + 1, periodic=False, beta=8.0, dtype=torch.float64)
        taps = torch.sinc(place / factor) * window
        self._taps = (taps / taps.sum()).float()[None, None]
        self._rest = torch.zeros(reach, dtype=torch.complex64)

    def feed(self, samples: Tensor) -> Tensor:
        """Take the next samples, complex64 ``[n]``; return those kept."""
        if self.factor == 1:
            return samples
        x = torch.cat([self._rest, samples])
        length = self._taps.shape[2]
        count = max(0, (len(x) - length) // self.factor + 1)
        self._rest = x[count * self.factor :]
        if not count:
            return x[:0]
        parts = torch.view_as_real(x[: (count - 1) * self.factor + length]).T[:, None]
        kept = torch.nn.functional.conv1d(parts, self._taps, stride=self.factor)
        return torch.view_as_complex(kept[:, 0].T.contiguous())

    def finish(self) -> Tensor:
        """Return what is left once the stream has ended."""
        return self.feed(torch.zeros(_SPAN * self.factor, dtype=torch.complex64))
