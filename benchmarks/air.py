"""Receiving frames: the time of GNU Radio's OFDM receiver over that of ours."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.agreement import DisagreementError
from benchmarks.gnuradio_ofdm import BYTES
from benchmarks.timing import MissingError, OnRound, Ratio, Rounds, Work, alternate
from semveil.device import one_thread
from semveil.phy import normalise_power
from semveil.radio import FrameFormat, HardwareChannel, Header, burst, modulate, receive
from semveil.rng import generator, normal

PYTHON = Path("/usr/bin/python3")
_SCRIPT = Path(__file__).with_name("gnuradio_ofdm.py")
_SYMBOLS, _GAP = 384, 512


def draw_recording(samples: int) -> tuple[Tensor, int]:
    """Return frames at 20 dB, complex64 ``[n]`` of at most so many samples, and how many."""
    frame = FrameFormat()
    count = samples // (frame.frame_length(_SYMBOLS) + _GAP)
    source = generator(0, "air")
    data = normal((count, _SYMBOLS), dtype=torch.complex64, generator=source)
    headers = [Header(bytes(8), 1, _SYMBOLS, counter=i) for i in range(count)]
    sent = burst(modulate(frame, headers, normalise_power(data)), _GAP)
    channel = HardwareChannel(snr_db=20.0, cfo_hz=0.3 * frame.spacing)
    return channel(sent[None], frame, generator=source)[0], count


class GnuRadio:
    """GNU Radio's receiver in a process of its own, ready for its recording.

    Attributes:
        samples: Samples of the recording.
        payload: Bytes that its packets carry.
    """

    def __init__(self, process: subprocess.Popen[str], packets: int) -> None:
        self._process, self.payload = process, BYTES * packets
        self.samples = int(self._line())

    def receive(self) -> int:
        """Receive the recording; return the bytes decoded."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def gnuradio(packets: int) -> Iterator[GnuRadio]:
    """Start GNU Radio's receiver.

    Raises:
        MissingError: If GNU Radio is not installed.
    """
    asked = [str(PYTHON), "-c", "from gnuradio import blocks, digital, gr"]
    if not PYTHON.exists() or subprocess.run(asked, capture_output=True, check=False).returncode:
        raise MissingError("needs GNU Radio: apt install gnuradio")
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [str(PYTHON), str(_SCRIPT), f"{folder}/recording", str(packets)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        yield GnuRadio(process, packets)
        assert process.stdin is not None
        process.stdin.close()


@one_thread()
def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Time both receivers on as many samples of their own frames: ours on one core."""
    with gnuradio(200 if quick else 2000) as theirs:
        samples, count = draw_recording(theirs.samples)
        share = theirs.receive() / theirs.payload
        found = sum(each.reception is not None for each in receive(FrameFormat(), samples))
        if share < 0.95 or found < count:
            raise DisagreementError(
                f"GNU Radio receives {share:.1%} of its packets, we {found} of {count} frames"
            )
        return alternate(
            Work("GNU Radio's OFDM receiver, per sample", theirs.receive, theirs.samples),
            Work("ours", lambda: receive(FrameFormat(), samples), len(samples)),
            3 if quick else 7,
            on_round,
        )


RATIOS = {
    "receiver_vs_gnuradio": Ratio(
        title="finding and equalising frames on one core, against GNU Radio's OFDM receiver on all",
        target=(">=", 1.0),
        measure=measure,
    ),
}
