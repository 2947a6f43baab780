"""What radios and the air do to samples, beyond fading and noise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.errors import SemveilError
from semveil.phy import convolve, exponential_profile, multipath_taps
from semveil.radio.frame import FrameFormat
from semveil.rng import Randomness, normal

_TAPS = 32
"""Taps of the interpolating filter."""

_STREAMED = 1 << 18
"""Samples of a stream that pass at once."""

_MOST_TAPS, _MOST_DELAY = 1024, 1e6


@dataclass(frozen=True)
class HardwareChannel:
    """A channel with the limits of real hardware.

    In this order: peak limiting at the transmitter, multipath, delay and clock offset, phase noise
    and frequency offset, noise, IQ imbalance and DC offset, quantisation at the receiver.

    Attributes:
        snr_db: Mean E_s/N_0 per symbol of the link, dB, nominal as everywhere: the signal's level
            is that of the format. None for no noise.
        cfo_hz: Carrier frequency offset, transmitter minus receiver, Hz.
        sro_ppm: Sampling clock offset, transmitter minus receiver, parts per million.
        taps: Taps of Rayleigh multipath, one per chip of delay, ``Σp = 1``; 0 for none.
        decay: Delay in chips at which the profile has fallen to ``1/e``.
        delay: Delay in samples, not necessarily whole.
        phase_noise: Linewidth of the oscillators, Hz: the phase is a random walk of variance
            ``2π · linewidth / sample_rate`` per sample.
        clip_ratio: Peak amplitude over root mean square; None for no limit.
        iq_gain_db: Gain of the real over the imaginary part, dB.
        iq_phase_deg: Angle by which the parts are not at right angles, degrees.
        dc_offset: Constant that is added to both parts, relative to the format's level.
        bits: Bits per part of a converter whose full scale is 1; None for no quantisation.

    Example:
        >>> frame = FrameFormat()
        >>> channel = HardwareChannel(snr_db=20.0, taps=8)
        >>> channel(torch.zeros(2, 100, dtype=torch.complex64), frame).shape
        torch.Size([2, 107])
    """

    snr_db: float | None = None
    cfo_hz: float = 0.0
    sro_ppm: float = 0.0
    taps: int = 0
    decay: float = 1.5
    delay: float = 0.0
    phase_noise: float = 0.0
    clip_ratio: float | None = None
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_offset: float = 0.0
    bits: int | None = None

    def __post_init__(self) -> None:
        numbers = {k: v for k, v in vars(self).items() if v is not None}
        for name, value in numbers.items():
            if not math.isfinite(value):
                raise SemveilError(f"{name}: expected a finite number, not {value}")
        for name in ("taps", "delay", "phase_noise"):
            if numbers[name] < 0:
                raise SemveilError(f"{name}: {numbers[name]} is negative")
        for name, most in (("taps", _MOST_TAPS), ("delay", _MOST_DELAY)):
            if numbers[name] > most:
                raise SemveilError(f"{name}: {numbers[name]:g} is more than {most:g}")
        if abs(self.sro_ppm) > 1000:
            raise SemveilError(f"sro_ppm: {self.sro_ppm} is beyond ±1000")
        if self.bits is not None and not 2 <= self.bits <= 24:
            raise SemveilError(f"bits: {self.bits} is not within 2 and 24")
        for name in ("clip_ratio", "decay"):
            if not numbers.get(name, 1) > 0:
                raise SemveilError(f"{name}: {numbers[name]} is not positive")

    def __call__(
        self, samples: Tensor, frame: FrameFormat, *, generator: Randomness = None
    ) -> Tensor:
        """Send samples through the channel.

        Args:
            samples: complex64 ``[B, T]``; every row has taps, phase and noise of its own.
            frame: Format of the frames: sample rate, level and bandwidth that the SNR refers to.
            generator: Source of all randomness.

        Returns:
            complex64 ``[B, T']``: longer by the delays, shorter or longer by the clock offset.
        """
        return _Passage(self, frame, generator)(samples, last=True)

    def stream(
        self, blocks: Iterable[Tensor], frame: FrameFormat, *, generator: Randomness = None
    ) -> Iterator[Tensor]:
        """Send a stream of samples through the channel, in bounded memory.

        Args:
            blocks: complex ``[n]`` each; what comes out does not depend on how the stream is cut.
            frame: As in :meth:`__call__`.
            generator: Source of all randomness.

        Yields:
            complex64 ``[n']``; all of them together have :meth:`length` samples.

        Example:
            >>> frame, blocks = FrameFormat(), [torch.ones(60) + 0j, torch.ones(40) + 0j]
            >>> [len(each) for each in HardwareChannel(taps=3).stream(blocks, frame)]
            [102]
        """
        passage, waiting = _Passage(self, frame, generator), torch.zeros(0, dtype=torch.complex64)
        for block in _equal(blocks, _STREAMED):
            if len(waiting):
                yield passage(waiting[None], last=False)[0]
            waiting = block
        yield passage(waiting[None], last=True)[0]

    def length(self, samples: int, frame: FrameFormat) -> int:
        """Return how many samples come out where so many go in."""
        spread = samples + _spread(self.taps, frame)
        return _resampled_length(spread, 1 + self.sro_ppm * 1e-6, self.delay)

    def noise_variance(self, frame: FrameFormat) -> float:
        """Return the noise variance per sample: ``level² / (SNR · occupied)``; 0 without noise.

        Example:
            >>> round(HardwareChannel(snr_db=0.0).noise_variance(FrameFormat(level=1.0)), 3)
            1.231
        """
        if self.snr_db is None:
            return 0.0
        return float(frame.level**2 * 10 ** (-self.snr_db / 10) / frame.occupied)

    def _limited(self, y: Tensor, frame: FrameFormat) -> Tensor:
        # The level is the format's, since a recording has gaps.
        assert self.clip_ratio is not None
        peak = self.clip_ratio * frame.level
        size = y.abs()
        return y * (peak / size.clamp(min=peak))

    def _converted(self, y: Tensor, frame: FrameFormat) -> Tensor:
        if self.iq_gain_db or self.iq_phase_deg:
            gain = 10 ** (self.iq_gain_db / 40)
            half = math.radians(self.iq_phase_deg) / 2
            cos, sin = math.cos(half), math.sin(half)
            y = torch.complex(
                gain * (cos * y.real - sin * y.imag), (cos * y.imag - sin * y.real) / gain
            )
        if self.dc_offset:
            y = y + self.dc_offset * frame.level * (1 + 1j)
        if self.bits is not None:
            scale = 2.0 ** (self.bits - 1)
            parts = (torch.view_as_real(y.resolve_conj()) * scale).round()
            y = torch.view_as_complex(parts.clamp(-scale, scale - 1) / scale)
        return y


class _Passage:
    """A stream, or a batch of them, on its way through a channel."""

    def __init__(self, channel: HardwareChannel, frame: FrameFormat, generator: Randomness) -> None:
        self.channel, self.frame, self.generator = channel, frame, generator
        self.taps: Tensor | None = None
        self.tail: Tensor | None = None
        moved = channel.delay or channel.sro_ppm
        rate = 1 + channel.sro_ppm * 1e-6
        self.resampler = _Resampler(rate, channel.delay) if moved else None
        self.place = 0
        self.walk = torch.zeros(1, 1, dtype=torch.float64)

    def __call__(self, samples: Tensor, *, last: bool) -> Tensor:
        """Return what comes out once further samples ``[B, n]`` have gone in."""
        channel, y = self.channel, samples.to(torch.complex64)
        if channel.clip_ratio is not None:
            y = channel._limited(y, self.frame)
        if channel.taps:
            y = self._convolved(y, last)
        if self.resampler is not None:
            y = self.resampler(y, last=last)
        if channel.cfo_hz or channel.phase_noise:
            y = y * self._phasor(y)
        if channel.snr_db is not None:
            noise = normal(tuple(y.shape), dtype=y.dtype, generator=self.generator)
            y = y + channel.noise_variance(self.frame) ** 0.5 * noise
        return channel._converted(y, self.frame)

    def _convolved(self, y: Tensor, last: bool) -> Tensor:
        if self.taps is None or self.tail is None:
            profile = exponential_profile(self.channel.taps, self.channel.decay)
            drawn = multipath_taps(len(y), profile, generator=self.generator)
            self.tail = y.new_zeros(len(y), _spread(self.channel.taps, self.frame))
            self.taps = drawn.new_zeros(len(y), self.tail.shape[1] + 1)
            self.taps[:, :: self.frame.oversampling] = drawn
        if not y.shape[1]:
            return self.tail if last else y
        whole = convolve(y, self.taps)
        whole[:, : self.tail.shape[1]] += self.tail
        self.tail = whole[:, y.shape[1] :]
        return whole if last else whole[:, : y.shape[1]]

    def _phasor(self, y: Tensor) -> Tensor:
        rate = self.frame.sample_rate
        place = torch.arange(self.place, self.place + y.shape[1], dtype=torch.float64)
        self.place += y.shape[1]
        phase = ((self.channel.cfo_hz / rate) * place % 1.0) * (2 * torch.pi)
        phase = phase.expand(len(y), -1)
        if self.channel.phase_noise and y.shape[1]:
            step = math.sqrt(2 * torch.pi * self.channel.phase_noise / rate)
            walk = normal(tuple(y.shape), dtype=torch.float64, generator=self.generator)
            walk = self.walk + step * walk.cumsum(1)
            self.walk = walk[:, -1:]
            phase = phase + walk
        return torch.polar(torch.ones_like(phase), phase).to(y.dtype)


class _Resampler:
    """Gives ``y[n] = x((n − delay)·rate)`` of samples that come piece by piece."""

    def __init__(self, rate: float, delay: float, chunk: int = 1 << 15) -> None:
        self.rate, self.delay, self.chunk = rate, delay, chunk
        self.half = _TAPS // 2
        self.window = torch.arange(1 - self.half, self.half + 1)
        self.first = self.next = 0
        self.kept: Tensor | None = None

    def __call__(self, samples: Tensor, *, last: bool) -> Tensor:
        kept = samples if self.kept is None else torch.cat([self.kept, samples], 1)
        end = self.first + kept.shape[1]
        if last:
            stop = _resampled_length(end, self.rate, self.delay)
        else:
            # The filter must not reach beyond what is there.
            stop = math.floor((end - self.half - 2) / self.rate + self.delay)
        padded = torch.nn.functional.pad(kept, (self.half, self.half + 1))
        parts = [samples[:, :0]]
        for start in range(self.next, stop, self.chunk):
            parts.append(self._at(padded, start, min(start + self.chunk, stop)))
        self.next = max(self.next, stop)
        least = math.floor((self.next - self.delay) * self.rate) - self.half
        drop = min(max(least - self.first, 0), kept.shape[1])
        self.kept, self.first = kept[:, drop:], self.first + drop
        return torch.cat(parts, 1)

    def _at(self, padded: Tensor, start: int, stop: int) -> Tensor:
        half = self.half
        place = (torch.arange(start, stop, dtype=torch.float64) - self.delay) * self.rate
        whole = place.floor()
        distance = (place - whole)[:, None] - self.window
        kaiser = torch.i0(8.0 * (1 - (distance / half) ** 2).clamp(min=0).sqrt())
        weights = (torch.sinc(distance) * kaiser / torch.i0(torch.tensor(8.0))).to(padded.dtype)
        index = whole.long()[:, None] - self.first + self.window + half
        return (padded[:, index.clamp(0, padded.shape[1] - 1)] * weights).sum(-1)


def resample(samples: Tensor, rate: float, delay: float = 0.0, chunk: int = 1 << 15) -> Tensor:
    """Return ``y[n] = x((n − delay)·rate)`` of band-limited samples, by a windowed sinc.

    Args:
        samples: complex ``[B, T]``; zero beyond both ends.
        rate: Samples of ``x`` per sample of ``y``, near 1.
        delay: Samples.
        chunk: Samples that are computed at once; the result does not depend on it.

    Returns:
        complex ``[B, T']`` with ``T' = ⌈T/rate + delay⌉``.

    Example:
        >>> resample(torch.tensor([[1, 0j]]), 1.0, delay=1.0).real.round(decimals=3).abs()
        tensor([[0., 1., 0.]])
    """
    return _Resampler(rate, delay, chunk)(samples, last=True)


def _resampled_length(samples: int, rate: float, delay: float) -> int:
    return math.ceil(samples / rate + delay)


def _spread(taps: int, frame: FrameFormat) -> int:
    """Return the samples by which multipath lengthens a signal."""
    return max(taps - 1, 0) * frame.oversampling


def _equal(blocks: Iterable[Tensor], size: int) -> Iterator[Tensor]:
    """Cut a stream into blocks of equal size, but for the last."""
    held, count = list[Tensor](), 0
    for block in blocks:
        for piece in block.split(size):
            held.append(piece)
            count += len(piece)
            if count >= size:
                whole = torch.cat(held)
                yield whole[:size]
                held, count = [whole[size:]], count - size
    if count:
        yield torch.cat(held)
