"""Radios through SoapySDR, by its documented Python interface. Untested on hardware."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from semveil.errors import SemveilError, SemveilWarning
from semveil.recording.samples import Samples, beyond_full_scale, warn_of_clipping

PREFIX = "soapy="
_CHANNEL = 0
_TIMEOUT_US = 1_000_000
_IDLE_READS = 5  # reads in a row that time out before the radio counts as silent


@dataclass(frozen=True)
class Radio:
    """A radio and its settings.

    Attributes:
        arguments: Which radio, as SoapySDR takes it: ``driver=lime,serial=…``.
        sample_rate_hz: Complex samples per second.
        frequency_hz: Centre frequency.
        gain_db: Total gain; the radio's own choice if None.
        antenna: Name of the antenna; the radio's own choice if None.
    """

    arguments: str
    sample_rate_hz: float
    frequency_hz: float
    gain_db: float | None = None
    antenna: str | None = None


def transmit_samples(radio: Radio, blocks: Iterable[Samples]) -> int:
    """Send complex samples, full scale 1, as one burst; return how many.

    Raises:
        SemveilError: If SoapySDR or the radio is missing, or it refuses a setting or samples.
    """
    soapy = _soapy()
    sent = lost = 0
    with _stream(soapy, radio, soapy.SOAPY_SDR_TX) as (device, stream):
        for block in blocks:
            rest = np.ascontiguousarray(block, np.complex64)
            lost += beyond_full_scale(rest)
            while len(rest):
                status = device.writeStream(stream, [rest], len(rest), 0, 0, _TIMEOUT_US)
                count = _count(soapy, status, "samples were not sent")
                rest, sent = rest[count:], sent + count
        # One silent sample ends the burst, so that the radio sends all that it holds.
        end = np.zeros(1, np.complex64)
        status = device.writeStream(stream, [end], 1, soapy.SOAPY_SDR_END_BURST, 0, _TIMEOUT_US)
        _count(soapy, status, "the burst was not ended")
    warn_of_clipping(f"radio {radio.arguments}", lost, sent)
    return sent


def receive_samples(radio: Radio, seconds: float) -> Iterator[Samples]:
    """Yield what a radio hears for some time, complex64, block by block.

    Raises:
        SemveilError: If SoapySDR or the radio is missing, refuses a setting, or gives no samples.
            A warning says that samples were lost.
    """
    soapy = _soapy()
    missing = round(seconds * radio.sample_rate_hz)
    with _stream(soapy, radio, soapy.SOAPY_SDR_RX) as (device, stream):
        buffer = np.empty(max(1024, device.getStreamMTU(stream)), np.complex64)
        silent = 0
        while missing > 0:
            wanted = min(missing, len(buffer))
            status = device.readStream(stream, [buffer], wanted, 0, 0, _TIMEOUT_US)
            if status.ret == soapy.SOAPY_SDR_TIMEOUT and silent < _IDLE_READS:
                silent += 1
                continue
            if status.ret == soapy.SOAPY_SDR_OVERFLOW:
                text = f"radio {radio.arguments}: samples were lost; set a lower sample rate"
                warnings.warn(text, SemveilWarning, stacklevel=2)
                continue
            count = _count(soapy, status, "no samples were received")
            silent, missing = 0, missing - count
            yield buffer[:count].copy()


@contextmanager
def _stream(soapy: ModuleType, radio: Radio, direction: int) -> Iterator[tuple[Any, Any]]:
    """Open a radio, set it, and run a stream of complex floats."""
    # SoapySDR raises RuntimeError for what a radio refuses.
    try:
        device = soapy.Device(radio.arguments)
        device.setSampleRate(direction, _CHANNEL, radio.sample_rate_hz)
        device.setFrequency(direction, _CHANNEL, radio.frequency_hz)
        if radio.antenna is not None:
            device.setAntenna(direction, _CHANNEL, radio.antenna)
        if radio.gain_db is not None:
            device.setGain(direction, _CHANNEL, radio.gain_db)
        stream = device.setupStream(direction, soapy.SOAPY_SDR_CF32, [_CHANNEL])
    except RuntimeError as error:
        raise SemveilError(f"radio {radio.arguments}: {_line(error)}") from None
    try:
        status = device.activateStream(stream)
        if status:
            raise SemveilError(
                f"radio {radio.arguments}: the stream does not start: {soapy.errToStr(status)}"
            )
        yield device, stream
    except RuntimeError as error:
        raise SemveilError(f"radio {radio.arguments}: {_line(error)}") from None
    finally:
        device.deactivateStream(stream)
        device.closeStream(stream)


def _count(soapy: ModuleType, status: Any, problem: str) -> int:
    """Return how many samples a call moved; negative numbers are errors."""
    if status.ret <= 0:
        raise SemveilError(f"radio: {problem}: {soapy.errToStr(status.ret)}")
    return int(status.ret)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _soapy() -> ModuleType:
    try:
        import SoapySDR
    except ImportError:
        raise SemveilError(
            "soapy: needs SoapySDR's Python module, which comes with the system: "
            "apt install python3-soapysdr"
        ) from None
    found: ModuleType = SoapySDR
    return found
