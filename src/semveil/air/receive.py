"""Bob and Eve on the air: frames of a recording, checked, decoded into answers and images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semveil.air.identity import link_digest
from semveil.channel import Reception
from semveil.errors import SemveilError
from semveil.experiment.link import Link
from semveil.experiment.send import Received
from semveil.protect.keys import fingerprint
from semveil.protect.session import Receiver as Counters
from semveil.radio import FrameFormat, ReceivedFrame
from semveil.radio import Receiver as Modem

if TYPE_CHECKING:
    from semveil.recording.samples import Samples

_AT_ONCE = 256  # frames that are decoded together
# A forged header keeps the receiver busy for no longer than this.
_MOST_SYMBOLS = 1 << 16
Decode = Callable[[Reception, Tensor], Received]
"""Receptions and message counters → what a party makes of them."""


@dataclass(frozen=True)
class FrameResult:
    """One frame that was found in a recording.

    Attributes:
        start: Its first sample.
        sync_metric: Share of the preamble's energy that the known sequence explains, 0 to 1.
        cfo_hz: Offset of the carrier, Hz.
        sro_ppm: Offset of the sampling clock, parts per million.
        evm_percent: Error vector magnitude of known symbols, %.
        snr_db: Estimated SNR, dB.
        counter: Message counter of its header; None if the header was not decoded.
        problem: Why it was not decoded; None if it was.
        answer: Class that the party answers; None if it answers none.
        probability: Its probability.
        image: Reconstruction, uint8 ``[C, H, W]``; None if there is none.
        accepted: Whether Bob takes the message for one that nobody changed; None if he tests none.
        psnr_db: PSNR of the reconstruction where the original is known, dB.
    """

    start: int
    sync_metric: float
    cfo_hz: float
    sro_ppm: float
    evm_percent: float
    snr_db: float
    counter: int | None = None
    problem: str | None = None
    answer: str | None = None
    probability: float | None = None
    image: NDArray[np.uint8] | None = None
    accepted: bool | None = None
    psnr_db: float | None = None


class HeaderCheck:
    """Says of headers why their frames are not decoded.

    Args:
        link: The link whose frames are wanted.
        key: Key of the receiver; None if keys are not looked at, as by Eve.
    """

    def __init__(self, link: Link, key: bytes | None) -> None:
        self.digest, self.width = link_digest(link), link.channel_uses
        self.key = None if key is None else fingerprint(key)
        self.name = link.name.label

    def problem(self, frame: ReceivedFrame) -> str | None:
        """Return why a frame is not decoded; None if it can be."""
        header = frame.header
        if header is None:
            return frame.reason
        if header.link != self.digest:
            return (
                f"sent by another link (digest {header.link.hex()}; {self.name} here has "
                f"{self.digest.hex()})"
            )
        if self.key is not None and header.key != self.key:
            return (
                f"key fingerprint differs: {header.key.hex()} was sent, the key here has "
                f"{self.key.hex()}"
            )
        if header.images != 1 or header.symbols != self.width:
            return (
                f"the header states {header.images} images of {header.symbols} symbols; the link "
                f"sends 1 of {self.width}"
            )
        return frame.reason


def decode_frames(
    frames: Iterable[ReceivedFrame],
    check: HeaderCheck,
    decode: Decode,
    counters: Counters | None = None,
) -> list[FrameResult]:
    """Decode the frames whose header fits, and say of the others why not.

    Args:
        frames: The frames, in the order of time.
        check: Checks their headers.
        decode: What a party makes of their receptions.
        counters: Refuses counters that came before; None where there is no key.
    """
    found: list[FrameResult] = []
    for some in batches(frames):
        problems = [check.problem(frame) for frame in some]
        good = [frame for frame, problem in zip(some, problems, strict=True) if problem is None]
        decoded = iter(_decode(good, decode, counters))
        for frame, problem in zip(some, problems, strict=True):
            found.append(_measured(frame, problem) if problem else next(decoded))
    return found


def frames_in(
    blocks: Iterable[Samples], format: FrameFormat, symbols: int = 0
) -> Iterator[ReceivedFrame]:
    """Yield the frames in samples, as a receiver with bounded memory finds them.

    Args:
        blocks: Samples, complex64 ``[T]``, block by block.
        format: Format of the frames.
        symbols: Symbols per frame of the link whose frames are wanted.
    """
    modem = Modem(format, max_symbols=max(symbols, _MOST_SYMBOLS))
    for block in blocks:
        yield from modem.feed(torch.from_numpy(block))
    yield from modem.finish()


def batches(frames: Iterable[ReceivedFrame], size: int = _AT_ONCE) -> Iterator[list[ReceivedFrame]]:
    """Yield frames in groups that are decoded together."""
    source = iter(frames)
    while batch := list(islice(source, size)):
        yield batch


def _measured(frame: ReceivedFrame, problem: str | None = None) -> FrameResult:
    counter = None if frame.header is None else frame.header.counter
    return FrameResult(
        frame.start,
        frame.sync_metric,
        frame.cfo_hz,
        frame.sro_ppm,
        100 * frame.evm,
        frame.snr_db,
        counter,
        problem,
    )


def _decode(
    frames: list[ReceivedFrame], decode: Decode, counters: Counters | None
) -> Iterator[FrameResult]:
    """Yield the results of frames whose headers fit."""
    if not frames:
        return
    headers = [frame.header for frame in frames if frame.header is not None]
    numbers = torch.tensor([header.counter for header in headers])
    made = decode(joined(frames), numbers)
    for place, frame in enumerate(frames):
        accepted = None if made.accepted is None else made.accepted[place]
        problem = None
        if counters is not None and accepted is not False:
            # Where Bob tests messages, only a message that passes may use its counter up.
            try:
                counters.accept(numbers[place : place + 1])
            except SemveilError as refusal:
                problem = str(refusal)
        found = _measured(frame, problem)
        if problem is None:
            found = replace(
                found,
                accepted=accepted,
                answer=None if made.answers is None else made.answers[place],
                probability=None if made.probabilities is None else made.probabilities[place],
                image=None if made.images is None else made.images[place],
            )
        yield found


def joined(frames: Sequence[ReceivedFrame]) -> Reception:
    """Return the receptions of frames of one image each as one batch."""
    parts = [frame.reception for frame in frames if frame.reception is not None]
    pilots = [each.pilots for each in parts if each.pilots is not None]
    return Reception(
        torch.cat([each.symbols for each in parts]),
        torch.cat([each.csi for each in parts]),
        torch.cat([each.noise_variance.reshape(-1) for each in parts]),
        torch.cat(pilots) if pilots else None,
    )
