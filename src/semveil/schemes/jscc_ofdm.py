"""OFDM-guided JSCC: residual blocks over OFDM."""

from semveil.schemes.base import SCHEMES
from semveil.schemes.parts import MOBILESC, OverOfdm


@SCHEMES.register
class JsccOfdm(OverOfdm):
    """Residual blocks."""

    name = "jscc-ofdm"
    reference = "jscc-ofdm"
    description = "OFDM-guided JSCC: residual blocks over OFDM"
    source = "Yang, Bian, Kim, arXiv 2109.05194, TCCN 8(2), as the reference of " + MOBILESC
    kind = "residual"
    published_blocks = 2
    deviations = (
        *OverOfdm.deviations,
        "No adversarial and no channel-estimate loss: it is MobileSC's reference for size and "
        "speed.",
    )
