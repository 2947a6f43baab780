"""LDPC decoding on one thread: the time of Sionna's decoder over that of ours.

Both are given the same LLRs of the same 512 codewords, 1200 bits in 2432. The SNR is one at which
Sionna, at its defaults, loses about one codeword in ten and we lose one in a hundred; above it,
where a link is meant to work, ours stops sooner and Sionna's does not.
"""

from __future__ import annotations

from semveil.bench.base import Ratio, Rounds, Tick
from semveil.bench.ldpc import compare, draw_frames
from semveil.phy.ldpc import LdpcCode


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time both decoders; see :class:`Ratio`."""
    frames = draw_frames(LdpcCode(1200, 2432), 1.2, 48 if quick else 512)
    return compare(frames, 3 if quick else 5, tick)


RATIO = Ratio(
    title="5G LDPC decoding, 1200 bits in 2432, against Sionna's decoder at its defaults",
    target=(">=", 1.5),
    measure=measure,
)
