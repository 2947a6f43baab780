"""Where preambles are in a stretch of samples, and at which frequency offset.

Two tests, each with its exact distribution in white noise. The metric of Schmidl and Cox at every
sample gives candidates. Around each of them the known sequence is correlated at all offsets in
frequency that the metric cannot tell apart; the share of the received energy that the sequence
explains then decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from scipy import stats
from torch import Tensor

from semveil.phy.broadcast import squared_magnitude
from semveil.phy.schmidl_cox import schmidl_cox, schmidl_cox_threshold
from semveil.radio.demodulate import phasors
from semveil.radio.frame import FrameFormat
from semveil.radio.modulate import preamble

_CANDIDATES = 1e-3
"""Probability that noise is a candidate, per sample."""

_FIRST = 0.1
"""Power of the first tap over that of the strongest, at least."""

_BATCH = 64
"""Candidates that are tested at once."""


@dataclass(frozen=True)
class Found:
    """Preambles that were found, in ascending order.

    Attributes:
        start: First samples of the prefix, at the first tap, int64 ``[C]``.
        cfo: Frequency offsets, cycles per sample, float64 ``[C]``.
        metric: Share of the energy that the sequence explains, float64 ``[C]``.
    """

    start: Tensor
    cfo: Tensor
    metric: Tensor


class Search:
    """Searches for the preambles of a format, at the receiver's own rate.

    Args:
        frame: Format, with ``inner`` samples per chip.
        max_cfo: Largest frequency offset, in subcarriers.
        false_alarms: False alarms per sample of white noise, at most.
    """

    def __init__(self, frame: FrameFormat, max_cfo: float, false_alarms: float) -> None:
        self.frame = frame
        self.half = frame.half_length
        self.reach = self.half // 2
        self.prefix = frame.prefix * frame.oversampling
        self.margin = self.prefix // 4
        self.candidates = schmidl_cox_threshold(self.half, _CANDIDATES)
        # Offsets that differ by 1/half look the same to both halves.
        turns = max_cfo / (frame.subcarriers * frame.oversampling) * self.half
        self.offsets = torch.arange(-math.ceil(turns), math.ceil(turns) + 1)
        tests = len(self.offsets) * (2 * self.reach + 1)
        self.dimensions = self._basis.shape[1]
        chance = min(false_alarms / (_CANDIDATES * tests), 0.5)
        # Of the dimensions of noise so many lie in the space of the delayed sequences. Noise within
        # the band only has the fewest.
        whole = 2 * len(frame.bins(frame.preamble * frame.subcarriers))
        law = stats.beta(self.dimensions, whole - self.dimensions)
        self.threshold = float(law.isf(chance))

    @property
    def before(self) -> int:
        """Samples that are needed before the prefix of a preamble."""
        return self.reach + self.prefix

    @property
    def after(self) -> int:
        """Samples that are needed from the first of a prefix on."""
        return self.prefix + 4 * self.half + 2 * self.reach

    @cached_property
    def _body(self) -> Tensor:
        return preamble(self.frame)[self.prefix :]

    @cached_property
    def _basis(self) -> Tensor:
        """Orthonormal basis of the sequence at all delays of a prefix, complex64 ``[2L, D]``."""
        delays = torch.arange(self.prefix + 1)
        place = (torch.arange(2 * self.half)[:, None] - delays) % (2 * self.half)
        left, size, _ = torch.linalg.svd(self._body[place], full_matrices=False)
        return left[:, size > 0.1 * size[0]]

    @cached_property
    def _spectrum(self) -> Tensor:
        return torch.fft.fft(self._body, 4 * self.half).conj()

    def __call__(self, samples: Tensor) -> Found:
        """Find the preambles in samples, complex64 ``[n]``."""
        if len(samples) < 3 * self.half + 2 * self.reach:
            return _none()
        metric, inner = schmidl_cox(samples, self.half)
        body = _peaks(metric, self.candidates, self.reach)
        if not len(body):
            return _none()
        cfo = inner[body].angle().double() / (2 * torch.pi * self.half)
        tested = [
            self._test(samples, body[i : i + _BATCH], cfo[i : i + _BATCH])
            for i in range(0, len(body), _BATCH)
        ]
        start, cfo, explained = (torch.cat(part) for part in zip(*tested, strict=True))
        good = explained > self.threshold
        return _distinct(Found(start[good], cfo[good], explained[good]), 2 * self.half)

    def _test(self, samples: Tensor, body: Tensor, cfo: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return starts, offsets and shares of energy of candidates."""
        width = 2 * self.reach + 1
        heard = _cut(samples, body - self.reach, 4 * self.half)
        heard = heard * phasors(-cfo, heard.shape[1])
        spectrum = torch.fft.fft(heard)
        # An offset of 1/half is four bins of the transform.
        bins = (torch.arange(4 * self.half) + 4 * self.offsets[:, None]) % (4 * self.half)
        correlation = torch.fft.ifft(spectrum[:, bins] * self._spectrum)
        power = squared_magnitude(correlation[..., :width])
        # The most energy that a prefix can hold, and the first tap in it that matters.
        length = self.prefix - self.margin + 1
        padded = torch.nn.functional.pad(power, (0, length))
        total = padded.cumsum(-1)
        energy = padded[..., :width] + total[..., length - 1 : -1] - total[..., :width]
        # Over all energy that was received, so that a louder neighbour counts no more.
        total = torch.nn.functional.pad(squared_magnitude(heard).double().cumsum(1), (1, 0))
        whole = (total[:, 2 * self.half :] - total[:, : -2 * self.half])[:, :width]
        whole = whole.maximum(1e-12 * total[:, -1:]).clamp(min=1e-30)
        energy = energy / whole[:, None]
        best = energy.flatten(1).argmax(1)
        offset, delay = best // width, best % width
        cfo = cfo + self.offsets[offset] / self.half
        taps = padded[torch.arange(len(body)), offset]
        taps = taps.gather(1, delay[:, None] + torch.arange(length))
        matters = taps >= _FIRST * taps.amax(1, keepdim=True)
        delay = delay + matters.to(torch.uint8).argmax(1)
        start = body - self.reach + delay
        # The decision: energy in the space of the delayed sequences over the whole.
        heard = _cut(samples, start - self.margin, 2 * self.half)
        heard = heard - heard.mean(1, keepdim=True)
        heard = heard * phasors(-cfo, heard.shape[1])
        whole = squared_magnitude(heard).double().sum(1).clamp(min=1e-200)
        explained = squared_magnitude(heard @ self._basis.conj()).double().sum(1) / whole
        first, second = heard.to(torch.complex128).tensor_split(2, 1)
        rest = (first.conj() * second).sum(1).angle() / (2 * torch.pi * self.half)
        return start - self.prefix, cfo + rest, explained


def _cut(samples: Tensor, first: Tensor, length: int) -> Tensor:
    """Return pieces of samples, zero beyond the ends, complex64 ``[C, length]``."""
    place = first[:, None] + torch.arange(length)
    inside = (place >= 0) & (place < len(samples))
    return samples[place.clamp(0, len(samples) - 1)] * inside


def _none() -> Found:
    return Found(torch.empty(0, dtype=torch.int64), *torch.empty(2, 0, dtype=torch.float64))


def _peaks(metric: Tensor, threshold: float, reach: int) -> Tensor:
    """Return where a metric is above a threshold and no larger one is near, int64.

    Every position above the threshold is within ``2·reach`` of a larger or equal one, or is one.
    """
    cells = torch.nn.functional.pad(metric, (0, -len(metric) % reach)).view(-1, reach)
    largest, place = cells.max(1)
    beside = torch.nn.functional.pad(largest, (1, 1))
    peak = (largest > threshold) & (largest >= beside[:-2]) & (largest > beside[2:])
    rows = peak.nonzero().squeeze(1)
    return rows * reach + place[rows]


def _distinct(found: Found, apart: int) -> Found:
    """Keep the best of preambles that overlap."""
    order = found.metric.argsort(descending=True).tolist()
    starts, kept = found.start.tolist(), list[int]()
    for each in order:
        if all(abs(starts[each] - starts[other]) >= apart for other in kept):
            kept.append(each)
    rows = torch.tensor(sorted(kept, key=starts.__getitem__), dtype=torch.int64)
    return Found(found.start[rows], found.cfo[rows], found.metric[rows])
