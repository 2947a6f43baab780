"""The OFDM chain with gradients: the time of Sionna's generic blocks over that of ours."""

from __future__ import annotations

from semveil.bench.base import Ratio, Rounds, Tick, Work, alternate
from semveil.bench.ofdm import OurChain, SionnaChain, draw_frames, require_same_results
from semveil.device import one_thread


@one_thread()
def measure(quick: bool, tick: Tick) -> Rounds:
    """Time both chains, forward and backward, on the same frames; see :class:`Ratio`."""
    frames = draw_frames(256)
    ours, theirs = OurChain(frames), SionnaChain(frames)
    require_same_results(ours, theirs)
    # Ours is over so soon that a single run would be timed less well than one of Sionna's.
    repeats = 10

    def run_ours() -> None:
        for _ in range(repeats):
            ours.symbols_and_gradient()

    return alternate(
        Work("Sionna's blocks on one thread, per batch", theirs.symbols_and_gradient),
        Work("our chain", run_ours, repeats),
        5 if quick else 11,
        tick,
    )


RATIO = Ratio(
    title="OFDM, multipath, LS and MMSE with gradients, against Sionna's generic chain",
    target=(">=", 10.0),
    measure=measure,
)
