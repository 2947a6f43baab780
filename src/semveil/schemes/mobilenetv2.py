"""Semantic link of MobileNetV2 blocks over OFDM."""

from semveil.schemes.base import SCHEMES
from semveil.schemes.parts import MOBILESC, OverOfdm


@SCHEMES.register
class MobileNetV2(OverOfdm):
    """Inverted residual blocks."""

    name = "mobilenetv2"
    reference = "mobilenetv2"
    description = "semantic link of MobileNetV2 blocks over OFDM"
    source = "Sandler et al., CVPR 2018, as the reference of " + MOBILESC
    kind = "inverted"
    deviations = (
        *OverOfdm.deviations,
        "Inverted residuals of expansion 2. With ``link.width`` 64 they have 256 channels, which "
        "give the published parameter counts; a smaller width has fewer weights.",
    )
