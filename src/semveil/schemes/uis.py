"""UIS-ToSC: vector quantisation and adversarial learning against an inverter."""

from semveil.link import LinkNetwork
from semveil.links.bottleneck import BottleneckConfig
from semveil.links.digital import CodebookConfig
from semveil.nets.eavesdropper import SimulatedEve
from semveil.schemes.base import SCHEMES
from semveil.schemes.lbvq import LBVQ
from semveil.style import Style
from semveil.training.task import InverterConfig, TaskOriented


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

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> TaskOriented:
        """Return training for the task, against what the indices tell and against Eve."""
        recipe = self.recipe
        return TaskOriented(
            recipe, link, eve, recipe.of(BottleneckConfig), recipe.of(InverterConfig)
        )
