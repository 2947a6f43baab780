"""DeepJSCC-DP: Laplace noise on the features, in two readings."""

from semveil.protect.laplace import Laplace
from semveil.schemes.base import SCHEMES
from semveil.schemes.deepjscc import DeepJSCC
from semveil.style import ORANGE, Style


@SCHEMES.register
class DP(DeepJSCC):
    """DeepJSCC with Laplace noise on the features."""

    name = "dp"
    style = Style(ORANGE)
    description = "DeepJSCC with Laplace noise on the features"
    protects = Laplace.protects
    asymmetry = "task"
    guarantee = Laplace.guarantee
    protections = ("laplace",)
    deviations = (
        *DeepJSCC.deviations,
        "The survey defines neither sensitivity nor clipping. Paper reading: noise of scale "
        "``dp.scale / dp.epsilon`` on features of unit power per real, in training and test, "
        "power normalised afterwards. It is no differential privacy at the stated budget.",
        "Genuine reading: features clipped in ℓ1 to ``dp.clip``, noise of scale twice that over "
        "ε, a gain that does not depend on the image.",
    )
