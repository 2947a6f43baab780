"""The classical chain: JPEG 2000 or AVIF, LDPC, QAM; a classifier of what Bob sees."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from semveil.baseline.codec import Codec
from semveil.baseline.system import ImageSystem
from semveil.baseline.transceiver import Transceiver
from semveil.channel import OfdmChannel, channel_of
from semveil.link import LinkNetwork
from semveil.links.classical import ClassicalLink
from semveil.links.semantic import SemanticConfig
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.recipe import Section
from semveil.schemes.base import SCHEMES, Scheme
from semveil.schemes.parts import classifier, refuse_protections
from semveil.training.joint import Joint


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError("must be a power of two")
    return value


@SCHEMES.register
class Classical(Scheme):
    """Codec, channel code and modulation; a classifier of what Bob sees."""

    name = "classical"
    description = "JPEG 2000 or AVIF, 5G LDPC and QAM; a classifier of Bob's images"
    source = "baseline of Nan et al., IEEE JSAC 41(8), 2023 (arXiv 2305.07220), section V-B"
    protects = "nothing: the unprotected digital reference"
    settings = (SemanticConfig,)
    reference = "classical"
    simulates = ()
    deviations = (
        "The paper states rate 1/2, the modulations and JPEG 2000, and no more: the code is that "
        "of 5G (TS 38.212), decoded with soft decisions that know every subcarrier's noise.",
        "Headers that are the same for all images of a size are not sent; length and checksum are.",
        "Where the checksum fails or the file did not fit, Bob shows the mean of the training "
        "images; the paper has no policy.",
        "The paper compares pictures alone. Here Bob also classifies what he sees, by a network "
        "that was trained on pictures as the codec leaves them.",
    )

    class Config(Section):
        """The classical link: source codec, channel code, modulation.

        Attributes:
            codec: ``jpeg2000`` or ``avif``.
            rate: Information bits per coded bit of the 5G LDPC code; below 1/5 by repetition.
            order: Points of the QAM constellation, a power of two; 2 is BPSK.
            tag_bits: Bits of a keyed tag over message counter and file, a multiple of 8 up to 256;
                none if 0. Bob rejects frames whose tag does not hold.
        """

        codec: Literal["jpeg2000", "avif"] = "jpeg2000"
        rate: Annotated[float, Field(ge=0.05, le=0.92)] = 0.5
        order: Annotated[int, Field(ge=2, le=256), AfterValidator(_power_of_two)] = 4
        tag_bits: Annotated[int, Field(ge=0, le=256, multiple_of=8)] = 0

    def system(self, image_shape: ImageShape) -> ImageSystem:
        """Return codec and physical layer, ``link.latent_dim / 2`` symbols per image."""
        settings = self.recipe.of(self.Config)
        return ImageSystem(
            Codec(settings.codec, image_shape),
            Transceiver(
                self.recipe.link.latent_dim // 2,
                settings.order,
                settings.rate,
                settings.tag_bits,
            ),
        )

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build the classical link, with the classifier of the semantic links."""
        refuse_protections(self)
        system, channel = self.system(image_shape), channel_of(self.recipe.bob)
        if isinstance(channel, OfdmChannel):
            channel.symbols(system.layer.channel_uses)
        network = classifier(self.recipe.of(SemanticConfig), image_shape, classes)
        return ClassicalLink(system, network, channel)

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> Joint:
        """Return training of the classifier."""
        return Joint(self.recipe, link)
