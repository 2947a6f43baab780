"""VFE: variational feature encoding, the information bottleneck without an adversary."""

from typing import ClassVar

from semveil.channel import channel_of
from semveil.errors import SemveilError
from semveil.link import LinkNetwork
from semveil.links.bottleneck import BottleneckConfig, BottleneckLink
from semveil.nets.convolutional import ImageShape
from semveil.nets.task import GatedEncoder
from semveil.protect import mechanism
from semveil.recipe import Section
from semveil.schemes.base import SCHEMES
from semveil.schemes.deepjscc import DeepJSCC
from semveil.schemes.parts import modulation
from semveil.style import BLUE, Style


@SCHEMES.register
class VFE(DeepJSCC):
    """Gated features whose transmission has a price."""

    name = "vfe"
    style = Style(BLUE)
    description = "variational feature encoding: information bottleneck without adversary"
    source = "Shao, Mao, Zhang, IEEE JSAC 40(1), 2022 (arXiv 2102.04170)"
    protects = "nothing by design; it drops information that the task does not need"
    asymmetry = "task"
    settings: ClassVar[tuple[type[Section], ...]] = (BottleneckConfig,)
    deviations: ClassVar[tuple[str, ...]] = (
        "Power is one per complex symbol and image instead of a peak of one, and the "
        "bottleneck's price is that of the reals as transmitted, at Bob's SNR in training.",
        "The trunk's width is free; Bob's head is dense and reads the channel's reliability "
        "instead of an embedding of the noise.",
        "Length is constant by default; ``bottleneck.variable_length`` lets the gates follow the "
        "SNR that Alice is told (draw SNRs in training with ``train.snr_span_db``).",
        "Features that are switched off are sent as zeros, and their power goes to the others; "
        "how many are on is a record of its own.",
    )

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build a link with gated features."""
        recipe, dim = self.recipe, self.recipe.link.latent_dim
        noise = mechanism(recipe, dim)
        if noise is not None and noise.fixed_gain:
            raise SemveilError(
                "protections: genuine differential privacy needs a fixed gain, and the "
                "bottleneck's price refers to features of unit power; use dp.reading: paper"
            )
        settings = recipe.of(BottleneckConfig)
        return BottleneckLink(
            GatedEncoder(image_shape, dim, recipe.link.width, settings.variable_length),
            self.head(classes),
            channel_of(recipe.bob),
            recipe.bob.snr_db,
            settings.threshold,
            noise,
            modulation(recipe, noise),
        )
