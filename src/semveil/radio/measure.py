"""How well frames are found and synchronised: counts and losses over random frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from semveil.phy import normalise_power
from semveil.phy.broadcast import squared_magnitude
from semveil.radio.demodulate import folded, phasors
from semveil.radio.frame import FrameFormat
from semveil.radio.header import Header
from semveil.radio.impairments import HardwareChannel
from semveil.radio.modulate import amplitude, modulate, preamble
from semveil.radio.receiver import ReceivedFrame, Receiver
from semveil.rng import generator, normal, uniform

_BATCH = 64


@dataclass(frozen=True)
class Detection:
    """What a receiver made of a stream.

    Attributes:
        sent: Frames sent.
        found: Frames whose start was found within a prefix.
        read: Frames found whose header was read without error.
        false: Frames reported where none starts.
        wrong: Of these, frames with a header.
        losses_db: SNR that each frame read has lost: received energy per symbol over the noise
            variance, less the SNR of our symbols, dB.
        equaliser_db: What the equaliser of a single carrier loses of it where it knows the channel:
            noise enhancement and interference between symbols. 0 for OFDM.
        sro_ppm: Mean clock offset that was measured in the frames read.
    """

    sent: int
    found: int
    read: int
    false: int
    wrong: int
    losses_db: tuple[float, ...]
    equaliser_db: tuple[float, ...]
    sro_ppm: float

    @property
    def loss_db(self) -> float:
        """Mean SNR lost, dB."""
        return _mean(self.losses_db)

    @property
    def synchronisation_db(self) -> float:
        """Mean SNR lost against the same receiver that knows start, offsets and channel, dB."""
        return self.loss_db - _mean(self.equaliser_db)


@dataclass(frozen=True)
class _Sent:
    start: int
    header: Header
    symbols: Tensor
    snr: float
    equaliser_db: float


def detection(
    frame: FrameFormat,
    channel: HardwareChannel,
    frames: int,
    symbols: int,
    *,
    seed: int = 0,
    cfo: float = 0.0,
    gap: int = 2000,
) -> Detection:
    """Send random frames with gaps between them, and count what a receiver finds.

    Args:
        frame: Format.
        channel: Channel; every frame has taps of its own.
        frames: Number of frames.
        symbols: Symbols per frame, complex Gaussian of unit power.
        seed: Seed of all random numbers.
        cfo: Frequency offsets are uniform within this many subcarriers of the channel's.
        gap: Gaps are uniform up to so many samples.

    Example:
        >>> result = detection(FrameFormat(), HardwareChannel(snr_db=20.0), 4, 96)
        >>> result.sent, result.found, result.read, result.loss_db < 1
        (4, 4, 4, True)
    """
    receiver = Receiver(frame, max_cfo=cfo + 0.5)
    sent, heard = list[_Sent](), list[ReceivedFrame]()
    for piece, more in _stream(frame, channel, frames, symbols, seed, cfo, gap):
        sent += more
        heard += receiver.feed(piece)
    heard += receiver.finish()
    return _judged(frame, sent, heard)


def false_alarms(frame: FrameFormat, samples: int, *, seed: int = 0) -> tuple[int, int]:
    """Listen to white noise; return the preambles found, and how many had a header.

    Example:
        >>> false_alarms(FrameFormat(), 100_000)
        (0, 0)
    """
    receiver, source = Receiver(frame), generator(seed, "radio", "noise")
    heard = list[ReceivedFrame]()
    piece = 1 << 20
    for first in range(0, samples, piece):
        shape = (min(piece, samples - first),)
        heard += receiver.feed(normal(shape, dtype=torch.complex64, generator=source))
    heard += receiver.finish()
    return len(heard), sum(each.header is not None for each in heard)


def _stream(
    frame: FrameFormat,
    channel: HardwareChannel,
    frames: int,
    symbols: int,
    seed: int,
    cfo: float,
    gap: int,
) -> Iterator[tuple[Tensor, list[_Sent]]]:
    """Yield pieces of a stream and the frames that begin in each."""
    clean = replace(channel, snr_db=None, bits=None, dc_offset=0.0)
    noise = HardwareChannel(snr_db=channel.snr_db, bits=channel.bits, dc_offset=channel.dc_offset)
    variance = channel.noise_variance(frame) * frame.occupied / frame.level**2
    place = 0
    for first in range(0, frames, _BATCH):
        count = min(_BATCH, frames - first)
        source = generator(seed, "radio", "frames", first)
        data = normalise_power(normal((count, symbols), dtype=torch.complex64, generator=source))
        headers = [Header(bytes(8), 1, symbols, counter=first + i) for i in range(count)]
        waveform = modulate(frame, headers, data)
        offset = (2 * uniform((count,), dtype=torch.float64, generator=source) - 1) * cfo
        offset = offset * frame.spacing / frame.sample_rate
        waveform = clean(waveform * phasors(offset, waveform.shape[1]), frame, generator=source)
        gain = squared_magnitude(waveform).mean(1) * (
            waveform.shape[1] / frame.frame_length(symbols)
        )
        lost = _equaliser_db(frame, channel, waveform, offset)
        gaps = (uniform((count,), generator=source) * gap).long().tolist()
        pieces, sent = list[Tensor](), list[_Sent]()
        for row in range(count):
            pieces += [waveform.new_zeros(gaps[row]), waveform[row]]
            place += gaps[row]
            snr = float(gain[row]) / frame.level**2 / max(variance, 1e-12)
            sent.append(_Sent(place, headers[row], data[row], snr, lost[row]))
            place += waveform.shape[1]
        yield noise(torch.cat(pieces)[None], frame, generator=source)[0], sent


def _equaliser_db(
    frame: FrameFormat, channel: HardwareChannel, waveform: Tensor, offset: Tensor
) -> list[float]:
    """Return what the equaliser loses that knows the channel, from frames without noise."""
    if not frame.single or channel.snr_db is None:
        return [0.0] * len(waveform)
    shift = offset + channel.cfo_hz / frame.sample_rate
    halves = [
        torch.fft.fft(each[:, frame.preamble_length - frame.half_length : frame.preamble_length])
        for each in (waveform * phasors(-shift, waveform.shape[1]), preamble(frame)[None])
    ]
    # Every so many frequencies of a half are those of a block.
    place = frame.preamble * frame.used % frame.half_length
    response = (halves[0] / halves[1])[:, place]
    gain = folded(frame, squared_magnitude(response * frame.weights(frame.subcarriers)).double())
    snr = gain * amplitude(frame) ** 2 / channel.noise_variance(frame)
    # With γ at each frequency the MMSE equaliser has 1/(1 + SINR) = mean of 1/(1 + γ).
    sinr = 1 / (1 / (1 + snr)).mean(1) - 1
    lost: list[float] = (10 * torch.log10(snr.mean(1) / sinr)).tolist()
    return lost


def _judged(frame: FrameFormat, sent: list[_Sent], heard: Iterable[ReceivedFrame]) -> Detection:
    starts = torch.tensor([each.start for each in sent])
    near = frame.prefix * frame.oversampling
    found, read, false, wrong = set[int](), list[tuple[_Sent, ReceivedFrame]](), 0, 0
    for each in heard:
        which = int((starts - each.start).abs().argmin())
        if abs(sent[which].start - each.start) > near:
            false += 1
            wrong += each.header is not None
            continue
        found.add(which)
        if each.header == sent[which].header and each.reception is not None:
            read.append((sent[which], each))
    return Detection(
        len(sent),
        len(found),
        len(read),
        false,
        wrong,
        tuple(10 * math.log10(each.snr / _snr(each.symbols, other)) for each, other in read),
        tuple(each.equaliser_db for each, _ in read),
        sum(other.sro_ppm for _, other in read) / max(len(read), 1),
    )


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _snr(symbols: Tensor, heard: ReceivedFrame) -> float:
    """Return the SNR that a receiver has who trusts the channel that is reported."""
    assert heard.reception is not None
    csi = heard.reception.csi[0]
    error = squared_magnitude(heard.reception.symbols[0] - csi * symbols).mean()
    return float(squared_magnitude(csi).mean() / error)
