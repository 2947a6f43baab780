"""LDPC decoding on one thread: the time of Sionna's decoder over that of ours.

Both are given the same LLRs of the same codewords, 1200 bits in 2432, all at once. The SNR is one
at which Sionna, at its defaults, loses about one codeword in ten and we lose one in a hundred;
where the link is meant to work, above it, ours stops sooner and Sionna's does not.
"""

from __future__ import annotations

from semveil.bench.base import Ratio, Rounds, Tick, Work, alternate
from semveil.bench.ldpc import draw_frames, require_no_more_errors, sionna_decoder
from semveil.device import one_thread
from semveil.phy.ldpc import LdpcCode

_CODE = LdpcCode(1200, 2432)
_SNR_DB = 1.2


@one_thread()
def measure(quick: bool, tick: Tick) -> Rounds:
    """Time both, once both have shown what they lose; see :class:`Ratio`."""
    frames = draw_frames(_CODE, _SNR_DB, 48 if quick else 512)
    theirs = sionna_decoder(_CODE)
    require_no_more_errors(
        frames.errors(_CODE.decode(frames.llrs)[0]), frames.errors(theirs(frames.llrs))
    )
    return alternate(
        Work("Sionna's LDPC decoder, per bit", lambda: theirs(frames.llrs), frames.bits.numel()),
        Work(
            "ours, with no more block errors",
            lambda: _CODE.decode(frames.llrs),
            frames.bits.numel(),
        ),
        3 if quick else 5,
        tick,
    )


RATIO = Ratio(
    title="5G LDPC decoding, 1200 bits in 2432, against Sionna's decoder at its defaults",
    target=(">=", 1.5),
    measure=measure,
)
