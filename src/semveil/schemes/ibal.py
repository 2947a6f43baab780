"""IBAL: information bottleneck and adversarial learning against an inverter."""

from semveil.link import LinkNetwork
from semveil.links.bottleneck import BottleneckConfig
from semveil.nets.eavesdropper import SimulatedEve
from semveil.schemes.base import SCHEMES
from semveil.schemes.vfe import VFE
from semveil.style import VERMILLION, Style
from semveil.training.task import InverterConfig, TaskOriented


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

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> TaskOriented:
        """Return training for the task, against what the features tell and against Eve."""
        recipe = self.recipe
        return TaskOriented(
            recipe, link, eve, recipe.of(BottleneckConfig), recipe.of(InverterConfig)
        )
