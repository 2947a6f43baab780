"""DeepJSCC for a task, without protection: the reference of the privacy-preserving schemes."""

from typing import ClassVar

from torch import nn

from semveil.channel import channel_of
from semveil.link import LinkNetwork
from semveil.links.bottleneck import BottleneckConfig
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.nets.task import TaskEncoder, TaskHead
from semveil.protect import Mechanism, mechanism
from semveil.schemes.base import SCHEMES, Scheme
from semveil.schemes.parts import SURVEY, modulation
from semveil.style import BLACK, Style
from semveil.training.task import InverterConfig, TaskOriented


class AnalogLink(LinkNetwork):
    """A task link whose power may be one on average only, as a guarantee may need."""

    resizable = True

    @property
    def fixed_gain(self) -> bool:  # type: ignore[override]
        """Whether the power is one on average only."""
        return isinstance(self.mechanism, Mechanism) and self.mechanism.fixed_gain


@SCHEMES.register
class DeepJSCC(Scheme):
    """DeepJSCC for a task; the privacy-preserving schemes begin with it."""

    name = "deepjscc"
    style = Style(BLACK)
    description = "DeepJSCC for the task, unprotected"
    source = SURVEY
    protects = "nothing: the reference"
    reference = "deepjscc"
    composes = True
    simulates = ("image",)
    deviations: ClassVar[tuple[str, ...]] = (
        "The survey gives no layers: a trunk of convolutions at a free width, a linear layer "
        "to the latent, a dense head; Bob has a task and reconstructs no image (our reading).",
        "A simulated Eve who reconstructs images is trained too, without influence on Alice.",
    )

    def head(self, classes: int) -> nn.Module:
        """Build Bob's classifier: received features and their reliability → logits."""
        sizes = self.recipe.link
        return TaskHead(sizes.latent_dim + 1, sizes.head_width, classes)

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build the link with the added protections."""
        recipe, dim = self.recipe, self.recipe.link.latent_dim
        noise = mechanism(recipe, dim)
        return AnalogLink(
            TaskEncoder(image_shape, dim, recipe.link.width),
            self.head(classes),
            None,
            channel_of(recipe.bob),
            noise,
            modulation(recipe, noise),
        )

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> TaskOriented:
        """Return training for the task, against what the settings that it reads name."""
        of = self.recipe.of
        bottleneck = of(BottleneckConfig) if BottleneckConfig in self.settings else None
        inverter = of(InverterConfig) if InverterConfig in self.settings else None
        return TaskOriented(self.recipe, link, eve, bottleneck, inverter)
