"""What an engineer looks at in a recording: spectrum, power, frames, equalised symbols."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semveil import phy
from semveil.air.receive import HeaderCheck, frames_in
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.radio import FrameFormat, ReceivedFrame
from semveil.recording import Recording
from semveil.recording.samples import Samples
from semveil.report.recording_page import RecordingView

_BINS = 1024  # of the spectrum
_POINTS = 1200  # of the power against time
_SYMBOLS = 1 << 20  # that are kept
COLUMNS = (
    "frame",
    "first sample",
    "counter",
    "sync metric",
    "CFO (Hz)",
    "SRO (ppm)",
    "EVM (%)",
    "SNR (dB)",
)


class Measured:
    """Spectrum and power of samples that pass by, in bounded memory."""

    def __init__(self, count: int, rate_hz: float) -> None:
        self.rate_hz, self.step = rate_hz, max(1, -(-count // _POINTS))
        self.density, self.windows = np.zeros(_BINS), 0
        self.window = np.hanning(_BINS)
        self.energy = np.zeros(-(-max(count, 1) // self.step))
        self.place, self.rest = 0, np.empty(0, np.complex64)

    def through(self, blocks: Iterator[Samples]) -> Iterator[Samples]:
        """Yield blocks, having measured them."""
        for block in blocks:
            self._add_spectrum(np.concatenate([self.rest, block]))
            first = self.place // self.step
            index = (self.place + np.arange(len(block))) // self.step - first
            sums = np.bincount(index, np.abs(block) ** 2)
            self.energy[first : first + len(sums)] += sums
            self.place += len(block)
            yield block

    def _add_spectrum(self, samples: Samples) -> None:
        half = _BINS // 2
        count = max(0, (len(samples) - half) // half)
        self.rest = samples[count * half :]
        if count:
            pieces = np.lib.stride_tricks.sliding_window_view(samples, _BINS)[::half][:count]
            self.density += (np.abs(np.fft.fft(pieces * self.window)) ** 2).sum(0)
            self.windows += count

    def spectrum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return frequencies from the centre, Hz, and densities, dB/Hz."""
        scale = max(self.windows, 1) * self.rate_hz * (self.window**2).sum()
        frequency = np.fft.fftshift(np.fft.fftfreq(_BINS, 1 / self.rate_hz))
        return frequency, _db(np.fft.fftshift(self.density) / scale)

    def power(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return times, s, and mean powers around them, dB."""
        starts = np.arange(len(self.energy)) * self.step
        counts = np.minimum(self.step, np.maximum(self.place - starts, 1))
        return (starts + counts / 2) / self.rate_hz, _db(self.energy / counts)


def inspect(recording: Recording, format: FrameFormat, link: Link | None = None) -> RecordingView:
    """Return what the page on a recording shows.

    Args:
        recording: The recording.
        format: Format of the frames that are looked for.
        link: Whose frames they should be; any link's if None.
    """
    if not recording.count:
        raise SemveilError(f"{recording.base} has no samples")
    rate = format.sample_rate
    measured = Measured(recording.count, rate)
    check = None if link is None else HeaderCheck(link, link.key if link.keyed else None)
    rows, spans, refused = list[tuple[str, ...]](), list[tuple[float, float]](), list[str]()
    symbols = _Thinned()
    blocks = measured.through(recording.blocks())
    for frame in frames_in(blocks, format, 0 if link is None else link.channel_uses):
        spans.append((frame.start / rate, (frame.start + frame.length) / rate))
        problem = frame.reason if check is None else check.problem(frame)
        if problem is not None:
            refused.append(f"frame at sample {frame.start}: {problem}")
            continue
        rows.append(_row(len(rows), frame))
        symbols.add(_symbols(frame))
    return RecordingView(
        recording.base.name,
        list(_facts(recording)),
        *measured.spectrum(),
        *measured.power(),
        COLUMNS,
        rows,
        spans,
        symbols.kept(),
        refused,
    )


class _Thinned:
    """Keeps symbols of a stream, one in 1, 2, 4 and so on, so that they stay few."""

    def __init__(self) -> None:
        self.step, self.count, self.parts = 1, 0, list[NDArray[np.complex64]]()

    def add(self, symbols: NDArray[np.complex64]) -> None:
        self.parts.append(symbols[:: self.step])
        self.count += len(self.parts[-1])
        if self.count > _SYMBOLS:
            self.parts, self.step = [self.kept()[::2]], 2 * self.step
            self.count = len(self.parts[0])

    def kept(self) -> NDArray[np.complex64]:
        return np.concatenate(self.parts) if self.parts else np.empty(0, np.complex64)


def _facts(recording: Recording) -> Iterator[tuple[str, str]]:
    assert recording.sample_rate_hz is not None
    rate = recording.sample_rate_hz
    yield "sample rate", f"{rate:,.0f} samples per second"
    yield "length", f"{recording.count:,} samples, {recording.count / rate:.3g} s"
    yield "data type", recording.datatype
    for key, value in recording.fields.items():
        if key in ("core:description", "core:recorder", "core:hw"):
            yield key.removeprefix("core:"), str(value)
        elif key.startswith("semveil:") and key not in ("semveil:samples", "semveil:version"):
            yield key.removeprefix("semveil:").replace("_", " "), _words(value)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(each)}" for key, each in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def _row(number: int, frame: ReceivedFrame) -> tuple[str, ...]:
    return (
        str(number),
        f"{frame.start}",
        "" if frame.header is None else str(frame.header.counter),
        f"{frame.sync_metric:.3f}",
        f"{frame.cfo_hz:z.1f}",
        f"{frame.sro_ppm:z.1f}",
        f"{100 * frame.evm:.1f}",
        f"{frame.snr_db:.1f}",
    )


def _symbols(frame: ReceivedFrame) -> NDArray[np.complex64]:
    """Return the equalised symbols of a frame."""
    heard = frame.reception
    assert heard is not None
    found: NDArray[np.complex64] = phy.mmse(heard.symbols, heard.csi, heard.noise_variance).numpy()
    return found.ravel()


def _db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return 10 * np.log10(np.maximum(power, 1e-20))
