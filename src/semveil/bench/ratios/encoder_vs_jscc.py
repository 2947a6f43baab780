"""One image through the encoder of OFDM-guided JSCC, over the same through MobileSC's."""

from __future__ import annotations

from semveil.bench.base import Ratio, Rounds, Tick
from semveil.bench.encoders import measure_against


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time both; see :class:`Ratio`."""
    return measure_against("jscc-ofdm", quick, tick)


RATIO = Ratio(
    title="Encoder of OFDM-guided JSCC, over MobileSC's, one image on one thread",
    target=(">=", 1.0),
    measure=measure,
)
