"""MobileSC: light semantic link over OFDM."""

from semveil.schemes.base import SCHEMES
from semveil.schemes.parts import MOBILESC, OverOfdm


@SCHEMES.register
class MobileSC(OverOfdm):
    """Light blocks with channel and shuffle attention."""

    name = "mobilesc"
    reference = "mobilesc"
    description = "MobileSC: light semantic link over OFDM"
    source = MOBILESC
    kind = "semblock"
    deviations = (
        *OverOfdm.deviations,
        "The exact SemBlock is not printed: 1×1, depth-wise 3×1 and 1×3, 1×1, channel and "
        "shuffle attention beside each other, residual. With ``link.width`` 64 it gives the "
        "published count of the encoder exactly; of the decoder's two are missing, which no block "
        "that is the same at both ends can give. A smaller width has fewer weights.",
        "Shuffle attention's last shuffle only renames channels here and is left out; the split "
        "convolution is computed as the one 3×3 kernel that equals it.",
    )
