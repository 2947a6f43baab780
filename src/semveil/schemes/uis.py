"""UIS-ToSC: vector quantisation and adversarial learning against an inverter."""

from semveil.links.bottleneck import BottleneckConfig
from semveil.links.digital import CodebookConfig
from semveil.schemes.base import SCHEMES
from semveil.schemes.lbvq import LBVQ
from semveil.style import Style
from semveil.training.task import InverterConfig


@SCHEMES.register
class UIS(LBVQ):
    """A link that quantises, trained against a simulated Eve who reconstructs the image."""

    name = "uis"
    style = Style("#6b7f1e")
    description = "vector quantisation and adversarial learning against an inverter"
    source = "Zhang, Wang, Guo, IEEE Commun. Lett. 28(6), 2024"
    protects = "the image, from an inverter like the simulated one"
    asymmetry = "task"
    settings = (CodebookConfig, BottleneckConfig, InverterConfig)
    rule = "nearest"
    deviations = (
        *LBVQ.deviations,
        "The informativeness term acts on the indices that are transmitted (their mutual "
        "information with the image), not on a side branch that is not.",
        "Eve receives the waveform over her channel, her output covers the images' range, "
        "and her error counts no further than the mean image's.",
    )
