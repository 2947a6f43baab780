"""What training SemAdv's generator costs, over training of the link that it attacks."""

from __future__ import annotations

from semveil.adversary.perturb.semadv import SemAdvGenerator
from semveil.bench.base import Ratio, Rounds, Tick
from semveil.bench.generators import measure_step


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time both on one thread; see :class:`Ratio`."""
    return measure_step(SemAdvGenerator, quick, tick)


RATIO = Ratio(
    title="Step of SemAdv's generator, over a forward and backward pass of MobileSC",
    target=("<=", 1.3),
    measure=measure,
)
