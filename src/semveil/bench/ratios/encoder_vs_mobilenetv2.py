"""One image through the encoder of MobileNetV2's blocks, over the same through MobileSC's."""

from __future__ import annotations

from semveil.bench.base import Ratio, Rounds, Tick
from semveil.bench.encoders import measure_against


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time both; see :class:`Ratio`."""
    return measure_against("mobilenetv2", quick, tick)


RATIO = Ratio(
    title="Encoder of MobileNetV2's blocks, over MobileSC's, one image on one thread",
    target=(">=", 1.0),
    measure=measure,
)
