"""What radios and the air do to samples, beyond fading and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.errors import SemveilError
from semveil.phy import convolve, exponential_profile, multipath_taps
from semveil.radio.frame import FrameFormat
from semveil.rng import Randomness, normal

_TAPS = 32
"""Taps of the interpolating filter."""


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
        y = samples.to(torch.complex64)
        if self.clip_ratio is not None:
            y = self._limited(y, frame)
        if self.taps:
            profile = exponential_profile(self.taps, self.decay)
            drawn = multipath_taps(len(y), profile, generator=generator)
            spread = drawn.new_zeros(len(y), (self.taps - 1) * frame.oversampling + 1)
            spread[:, :: frame.oversampling] = drawn
            y = convolve(y, spread)
        if self.delay or self.sro_ppm:
            y = resample(y, 1 + self.sro_ppm * 1e-6, self.delay)
        if self.cfo_hz or self.phase_noise:
            y = y * self._phasor(y, frame.sample_rate, generator)
        if self.snr_db is not None:
            variance = self.noise_variance(frame)
            noise = normal(tuple(y.shape), dtype=y.dtype, generator=generator)
            y = y + variance**0.5 * noise
        return self._converted(y, frame)

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

    def _phasor(self, y: Tensor, rate: float, generator: Randomness) -> Tensor:
        place = torch.arange(y.shape[1], dtype=torch.float64)
        phase = ((self.cfo_hz / rate) * place % 1.0) * (2 * torch.pi)
        phase = phase.expand(len(y), -1)
        if self.phase_noise:
            step = math.sqrt(2 * torch.pi * self.phase_noise / rate)
            walk = normal(tuple(y.shape), dtype=torch.float64, generator=generator)
            phase = phase + step * walk.cumsum(1)
        return torch.polar(torch.ones_like(phase), phase).to(y.dtype)

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
    length = math.ceil(samples.shape[1] / rate + delay)
    half = _TAPS // 2
    padded = torch.nn.functional.pad(samples, (half, half + 1))
    window = torch.arange(1 - half, half + 1)
    parts = []
    for first in range(0, length, chunk):
        place = (
            torch.arange(first, min(first + chunk, length), dtype=torch.float64) - delay
        ) * rate
        whole = place.floor()
        fraction = (place - whole)[:, None]
        distance = fraction - window
        kaiser = torch.i0(8.0 * (1 - (distance / half) ** 2).clamp(min=0).sqrt())
        weights = (torch.sinc(distance) * kaiser / torch.i0(torch.tensor(8.0))).to(samples.dtype)
        index = (whole.long()[:, None] + window + half).clamp(0, padded.shape[1] - 1)
        parts.append((padded[:, index] * weights).sum(-1))
    return torch.cat(parts, 1)
