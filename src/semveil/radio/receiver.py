"""The receiver: from a stream of samples to frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from semveil.channel import Reception
from semveil.radio.frame import FrameFormat
from semveil.radio.header import MOST_SYMBOLS, Header


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
            :mod:`semveil.channel` gives them; None if there is no header or the frame is cut.
        sync_metric: Share of the received energy of the preamble that the known sequence explains,
            0 to 1.
        cfo_hz: Carrier frequency offset, transmitter minus receiver, Hz.
        cfo_subcarriers: The same in units of the subcarrier spacing.
        sro_ppm: Offset of the sampling clock, transmitter minus receiver, parts per million.
        evm: Root mean square error of the equalised pilots over their root mean square.
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


class Receiver:
    """Finds, synchronises and equalises the frames of a stream.

    Args:
        frame: Format of the frames.
        max_symbols: Symbols of the link that a frame may carry; a header that says more is
            refused. It bounds the memory.
        max_cfo: Largest frequency offset, in subcarriers.
    """

    def __init__(
        self, frame: FrameFormat, *, max_symbols: int = MOST_SYMBOLS, max_cfo: float = 1.5
    ) -> None:
        self.frame, self.max_symbols, self.max_cfo = frame, max_symbols, max_cfo

    def feed(self, samples: Tensor) -> list[ReceivedFrame]:
        """Take the next samples of the stream and return the frames that are complete.

        Args:
            samples: complex ``[n]``, any ``n``; samples that are not finite count as silence.
        """
        raise NotImplementedError

    def finish(self) -> list[ReceivedFrame]:
        """End the stream and return what is left; a frame that is cut has a reason."""
        raise NotImplementedError


def receive(frame: FrameFormat, samples: Tensor, **settings: float) -> list[ReceivedFrame]:
    """Return all frames of a recording, complex ``[n]``; settings are those of a receiver."""
    receiver = Receiver(frame, **settings)  # type: ignore[arg-type]
    return receiver.feed(samples) + receiver.finish()
