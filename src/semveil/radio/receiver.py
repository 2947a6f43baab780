"""The receiver: from a stream of samples to frames."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.radio.decimate import Decimator
from semveil.radio.demodulate import MOST_STRETCH, Demodulator, Estimate
from semveil.radio.frame import FrameFormat
from semveil.radio.header import MOST_SYMBOLS, Header, decode
from semveil.radio.search import Found, Search

_STEP = 1 << 18
"""Samples between two searches."""

_MOST_BATCH = 1 << 20
"""Samples of frames that are demodulated at once."""


@dataclass(frozen=True)
class ReceivedFrame:
    """A frame that a receiver has found.

    Attributes:
        start: Sample of the stream at which the frame starts, its prefix included.
        length: Samples of the frame; those of preamble and header where there is no header.
        header: The header; None if it cannot be read.
        reason: Why there is no header or no reception, in one line; None if there are both.
        reception: The link's symbols, one row per image, complex ``[images, symbols]``, with the
            channel on each and the noise variance, as a channel of
            :mod:`semveil.channel` gives them. With OFDM the channel is one real number per symbol
            and ``pilots`` are those of an :class:`~semveil.phy.OFDM` of the format's size, as the
            estimated channel would have them, ``[images, 1, N]``; of a single carrier it is one
            number per image. None if there is no header or the frame is cut.
        sync_metric: Share of the received energy of the preamble that the known sequence explains,
            0 to 1.
        cfo_hz: Carrier frequency offset, transmitter minus receiver, Hz.
        cfo_subcarriers: The same in units of the subcarrier spacing.
        sro_ppm: Offset of the sampling clock, transmitter minus receiver, parts per million. In
            short frames it is drawn towards 0, as far as the pilots leave it open.
        evm: Root mean square error of the received pilots over their root mean square.
        snr_db: Mean received energy per symbol over the noise variance of a symbol, dB.
    """

    start: int
    length: int
    header: Header | None
    reason: str | None
    reception: Reception | None
    sync_metric: float
    cfo_hz: float
    cfo_subcarriers: float
    sro_ppm: float
    evm: float
    snr_db: float


@dataclass(frozen=True)
class _Candidate:
    """A preamble in the stream, at the receiver's own rate, and what its header told."""

    start: int
    cfo: float
    metric: float
    header: Header | str
    evm: float
    snr_db: float
    estimate: Estimate


class Receiver:
    """Finds, synchronises and equalises the frames of a stream.

    It searches for preambles, tests candidates, reads their headers, and is locked until the frame
    ends; then it searches again, so that every frame is synchronised anew. What it returns does
    not depend on how the stream is cut into pieces, and it holds no more samples than the longest
    frame has, besides those of one search.

    Args:
        frame: Format of the frames.
        max_symbols: Symbols of the link that a frame may carry; a header that says more is
            refused. It bounds the memory.
        max_cfo: Largest frequency offset, in subcarriers.
        false_alarms: Preambles found per sample of white noise, at most; a header's checksum
            catches all but one in 2²⁴ of them.

    Example:
        >>> from semveil.radio.modulate import modulate
        >>> frame, header = FrameFormat(), Header(link=bytes(8), images=1, symbols=480)
        >>> sent = modulate(frame, [header], torch.ones(1, 480) + 0j)
        >>> receiver = Receiver(frame)
        >>> found = receiver.feed(torch.nn.functional.pad(sent[0], (100, 0))) + receiver.finish()
        >>> found[0].start, found[0].header == header, found[0].reception.symbols.shape
        (100, True, torch.Size([1, 480]))
    """

    def __init__(
        self,
        frame: FrameFormat,
        *,
        max_symbols: int = MOST_SYMBOLS,
        max_cfo: float = 1.5,
        false_alarms: float = 1e-9,
    ) -> None:
        self.frame, self.max_symbols = frame, max_symbols
        self._inner = replace(frame, oversampling=frame.inner)
        self._factor = frame.oversampling // frame.inner
        self._search = Search(self._inner, max_cfo, false_alarms)
        self._demodulator = Demodulator(self._inner)
        # Room for windows and for the clock offset over a header.
        self._slack = self._inner.block_length
        self._reset()

    def _reset(self) -> None:
        self._decimator = Decimator(self._factor)
        # All positions count samples at the receiver's own rate.
        self._first = self._next = self._busy = -self._search.before
        self._buffer = torch.zeros(self._search.before, dtype=torch.complex64)
        # Small pieces are put together before the buffer is copied.
        self._fresh, self._ready = list[Tensor](), 0
        self._waiting: deque[_Candidate] = deque()

    @cached_property
    def _ahead(self) -> int:
        """Samples that a search needs from its first position on."""
        header = self._inner.header_length + self._slack
        return _STEP + self._search.half + max(self._search.after, header)

    def feed(self, samples: Tensor) -> list[ReceivedFrame]:
        """Take the next samples of the stream and return the frames that are complete.

        Args:
            samples: complex ``[n]``, any ``n``; samples that are not finite count as silence.

        Raises:
            SemveilError: If samples are not complex, or not one-dimensional.
        """
        if samples.ndim != 1 or not samples.is_complex():
            raise SemveilError(
                f"samples: expected complex [n], not {samples.dtype} {list(samples.shape)}"
            )
        found = list[ReceivedFrame]()
        for piece in samples.split(_STEP * self._factor):
            self._fresh.append(self._decimator.feed(_finite(piece)))
            self._ready += len(self._fresh[-1])
            if self._end + self._ready < self._wanted:
                continue
            self._take()
            while self._next + self._ahead <= self._end:
                self._advance(self._end)
            found += self._deliver(self._end, last=False)
        return found

    def finish(self) -> list[ReceivedFrame]:
        """End the stream and return what is left; a frame that is cut has a reason.

        The receiver then begins anew, at sample 0.
        """
        if self._factor > 1:
            self._fresh.append(self._decimator.finish())
        self._take()
        end = self._end
        self._fresh.append(torch.zeros(self._ahead + _STEP, dtype=torch.complex64))
        self._take()
        while self._next < end:
            self._advance(end)
        found = self._deliver(end, last=True)
        self._reset()
        return found

    @property
    def _end(self) -> int:
        return self._first + len(self._buffer)

    @property
    def _wanted(self) -> int:
        """The end that the stream must have for the next search or the next frame."""
        search = self._next + self._ahead
        if not self._waiting:
            return search
        first = self._waiting[0]
        return min(search, first.start + self._longest(_header(first)))

    def _take(self) -> None:
        """Put fresh samples behind those that are still needed."""
        needed = self._next - self._search.before
        if self._waiting:
            needed = min(needed, self._waiting[0].start - self._slack)
        drop = min(max(needed - self._first, 0), len(self._buffer))
        self._buffer = torch.cat([self._buffer[drop:], *self._fresh])
        self._first += drop
        self._ready = 0
        self._fresh.clear()

    def _advance(self, end: int) -> None:
        """Search the next step of the stream, which ends at ``end`` as far as is known."""
        first, self._next = self._next, self._next + _STEP
        if self._busy >= self._next:
            return
        low, high = first - self._search.before, self._next + self._search.half
        heard = self._buffer[max(low - self._first, 0) : high + self._search.after - self._first]
        found = self._search(heard)
        start = found.start + max(low, self._first)
        # A stream may begin within a prefix.
        least = max(first, self._busy, -self._search.prefix)
        rows = ((start >= least) & (start < high)).nonzero().squeeze(1)
        for each in self._read(Found(start[rows], found.cfo[rows], found.metric[rows]), end):
            if each.start < self._busy:
                continue
            self._waiting.append(each)
            length = self._inner.preamble_length
            if isinstance(each.header, Header):
                # The next frame may follow at once.
                length = self._shortest(each.header) - self._search.prefix
            self._busy = each.start + length

    def _shortest(self, header: Header) -> int:
        """Return the samples of a frame at the largest clock offset."""
        return math.floor(self._inner.frame_length(header.payload) * (1 - MOST_STRETCH))

    def _longest(self, header: Header) -> int:
        return math.ceil(self._inner.frame_length(header.payload) * (1 + MOST_STRETCH))

    def _read(self, found: Found, end: int) -> list[_Candidate]:
        """Read the headers behind preambles."""
        if not len(found.start):
            return []
        length = self._inner.header_length
        samples = self._derotated(found.start, found.cfo, length + self._slack)
        estimate = self._demodulator.estimate(samples)
        known = self._inner.known_blocks(self._inner.header_blocks)
        tracked = self._demodulator.track(samples, estimate, known)
        headers = decode(self._demodulator.matched(tracked, estimate, known))
        snr_db = self._demodulator.snr_db(tracked, estimate).tolist()
        return [
            _Candidate(
                start, cfo, metric, self._checked(header, start + length > end), evm, snr, each
            )
            for start, cfo, metric, header, evm, snr, each in zip(
                found.start.tolist(),
                found.cfo.tolist(),
                found.metric.tolist(),
                headers,
                tracked.evm.tolist(),
                snr_db,
                estimate.split(),
                strict=True,
            )
        ]

    def _checked(self, header: Header | str, cut: bool) -> Header | str:
        """Return the header, or why the frame cannot be read."""
        if isinstance(header, str):
            return "the stream ends within the header" if cut else header
        if header.payload > self.max_symbols:
            return (
                f"header: {header.images} images of {header.symbols} symbols; this receiver takes "
                f"{self.max_symbols} symbols"
            )
        return header

    def _derotated(self, start: Tensor, cfo: Tensor, length: int) -> Tensor:
        """Return samples of frames without their frequency offsets, complex64 ``[B, length]``."""
        place = (start - self._first)[:, None] + torch.arange(length)
        inside = (place >= 0) & (place < len(self._buffer))
        samples = self._buffer[place.clamp(0, len(self._buffer) - 1)] * inside
        if self._inner.guard_dc and not self._inner.single:
            # Nothing is sent at DC; what is there would leak once the offset is undone.
            mean = samples[:, : self._inner.header_length].mean(1, keepdim=True)
            samples = samples - mean
        return self._demodulator.derotate(samples, cfo)

    def _deliver(self, end: int, last: bool) -> list[ReceivedFrame]:
        """Return the frames of the queue whose samples are there."""
        out, batch = list[ReceivedFrame](), list[_Candidate]()

        def flush() -> None:
            out.extend(self._receive(batch))
            batch.clear()

        while self._waiting:
            each = self._waiting[0]
            if isinstance(each.header, str):
                flush()
                out.append(self._failed(each, each.header))
            else:
                if not last and each.start + self._longest(each.header) > end:
                    break
                if each.start + self._shortest(each.header) > end:
                    flush()
                    out.append(self._failed(each, "the stream ends within the frame"))
                else:
                    if batch and not _alike(batch, each, self._longest(each.header)):
                        flush()
                    batch.append(each)
            self._waiting.popleft()
        flush()
        return out

    def _receive(self, batch: Sequence[_Candidate]) -> list[ReceivedFrame]:
        """Demodulate frames of equal length."""
        if not batch:
            return []
        frame, header = self._inner, _header(batch[0])
        head = frame.known_blocks(frame.header_blocks)
        blocks = torch.cat([head, frame.known_blocks(frame.data_blocks(header.payload))])
        start = torch.tensor([each.start for each in batch])
        cfo = torch.tensor([each.cfo for each in batch], dtype=torch.float64)
        samples = self._derotated(start, cfo, self._longest(header))
        estimate = Estimate.join([each.estimate for each in batch])
        tracked = self._demodulator.track(samples, estimate, blocks)
        receptions = self._demodulator.reception(
            tracked, estimate, blocks, len(head), header.images, header.symbols
        )
        snr_db = self._demodulator.snr_db(tracked, estimate).tolist()
        return [
            self._report(
                replace(each, cfo=each.cfo + more, evm=evm, snr_db=snr),
                reception,
                sro_ppm=-stretch * 1e6,
            )
            for each, reception, stretch, more, evm, snr in zip(
                batch,
                receptions,
                tracked.stretch.tolist(),
                tracked.frequency.tolist(),
                tracked.evm.tolist(),
                snr_db,
                strict=True,
            )
        ]

    def _failed(self, each: _Candidate, reason: str) -> ReceivedFrame:
        return self._report(each, None, reason=reason)

    def _report(
        self,
        each: _Candidate,
        reception: Reception | None,
        *,
        sro_ppm: float = math.nan,
        reason: str | None = None,
    ) -> ReceivedFrame:
        header = each.header if isinstance(each.header, Header) else None
        frame = self.frame
        length = frame.header_length if header is None else frame.frame_length(header.payload)
        cfo_hz = each.cfo * frame.sample_rate / self._factor
        return ReceivedFrame(
            each.start * self._factor,
            length,
            header,
            reason,
            reception,
            each.metric,
            cfo_hz,
            cfo_hz / frame.spacing,
            sro_ppm,
            each.evm,
            each.snr_db,
        )


def receive(
    frame: FrameFormat,
    samples: Tensor,
    *,
    max_symbols: int = MOST_SYMBOLS,
    max_cfo: float = 1.5,
    false_alarms: float = 1e-9,
) -> list[ReceivedFrame]:
    """Return all frames of a recording, complex ``[n]``; settings are those of a receiver."""
    receiver = Receiver(frame, max_symbols=max_symbols, max_cfo=max_cfo, false_alarms=false_alarms)
    return receiver.feed(samples) + receiver.finish()


def _finite(samples: Tensor) -> Tensor:
    """Return samples as complex64, zero where they are not finite."""
    samples = samples.to(torch.complex64)
    good = torch.view_as_real(samples.resolve_conj()).isfinite().all(-1)
    return samples if bool(good.all()) else torch.where(good, samples, 0)


def _alike(batch: Sequence[_Candidate], each: _Candidate, length: int) -> bool:
    """Whether a frame may join a batch."""
    first, other = _header(batch[0]), _header(each)
    same = (first.images, first.symbols) == (other.images, other.symbols)
    return same and (len(batch) + 1) * length <= _MOST_BATCH


def _header(each: _Candidate) -> Header:
    assert isinstance(each.header, Header)
    return each.header
