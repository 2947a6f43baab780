"""IBAL: information bottleneck and adversarial learning against an inverter."""

from semveil.links.bottleneck import BottleneckConfig
from semveil.schemes.base import SCHEMES
from semveil.schemes.vfe import VFE
from semveil.style import VERMILLION, Style
from semveil.training.task import InverterConfig


@SCHEMES.register
class IBAL(VFE):
    """VFE, trained against a simulated Eve who reconstructs the image."""

    name = "ibal"
    style = Style(VERMILLION)
    description = "information bottleneck and adversarial learning against an inverter"
    source = "Wang, Guo, Deng, Zhang, Fang, IEEE TWC 23(8), 2024 (arXiv 2312.03252)"
    protects = "the image, from an inverter like the simulated one"
    asymmetry = "task"
    settings = (BottleneckConfig, InverterConfig)
    deviations = (
        *VFE.deviations,
        "The adversary is a deconvolution network whose output covers the images' range, not one "
        "linear layer that cannot reach white; she moves once per step of Alice's and Bob's.",
        "Her error counts no further than the mean image's.",
        "``inverter.form: noise`` is the weight 1/(1 + σ) of the dynamic version; the paper's "
        "balancing of losses by multiple gradient descent is not public.",
    )
