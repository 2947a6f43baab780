"""What the keyed rotation costs: keystream, conceal, reveal, over a forward pass of the link."""

from __future__ import annotations

from semveil.bench.base import Ratio, Rounds, Tick
from semveil.bench.cover import measure_share
from semveil.protect.rotation import Rotation


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time both; see :class:`Ratio`. A key that is no secret takes as long."""
    return measure_share(Rotation(bytes(32)), quick, tick)


RATIO = Ratio(
    title="Keyed rotation at both ends, over a forward pass of five-layer DeepJSCC",
    target=("<=", 0.10),
    measure=measure,
)
