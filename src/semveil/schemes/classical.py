"""The classical chain: JPEG 2000 or AVIF, LDPC, QAM; a classifier of what Bob sees."""

from semveil.baseline.codec import Codec
from semveil.baseline.system import ImageSystem
from semveil.baseline.transceiver import Transceiver
from semveil.channel import OfdmChannel, channel_of
from semveil.errors import SemveilError
from semveil.link import LinkNetwork
from semveil.links.classical import ClassicalLink
from semveil.nets.convolutional import ImageShape
from semveil.nets.preact import PreActResNet
from semveil.recipe import Recipe
from semveil.schemes.base import Scheme
from semveil.training.joint import Joint

DEVIATIONS = (
    "The paper states rate 1/2, the modulations and JPEG 2000, and no more: the code is that of "
    "5G (TS 38.212), decoded with soft decisions that know every subcarrier's noise.",
    "Headers that are the same for all images of a size are not sent; length and checksum are.",
    "Where the checksum fails, Bob shows the mean of the training images; the paper has no policy.",
    "The paper compares pictures alone. Here Bob also classifies what he sees, by a network that "
    "was trained on pictures as the codec leaves them.",
)


def classical_system(recipe: Recipe, image_shape: ImageShape) -> ImageSystem:
    """Return codec and physical layer of a recipe, ``link.latent_dim / 2`` symbols per image.

    Raises:
        SemveilError: If the symbols carry no payload, or Pillow lacks the codec.

    Example:
        >>> recipe = Recipe.model_validate({"link": {"latent_dim": 768}})
        >>> classical_system(recipe, (3, 32, 32)).layer.payload_bytes
        44
    """
    settings = recipe.classical
    return ImageSystem(
        Codec(settings.codec, image_shape),
        Transceiver(recipe.link.latent_dim // 2, settings.order, settings.rate),
    )


def classical_link(recipe: Recipe, image_shape: ImageShape, classes: int) -> LinkNetwork:
    """Build the classical link of a recipe, with the classifier of the semantic links.

    Raises:
        SemveilError: As :func:`classical_system`, if protections are to be laid over it, or if its
            symbols fill no whole OFDM symbols.
    """
    if recipe.protections:
        raise SemveilError("protections: nothing is laid over classical")
    system, channel = classical_system(recipe, image_shape), channel_of(recipe.bob)
    if isinstance(channel, OfdmChannel):
        channel.symbols(system.layer.channel_uses)
    settings = recipe.semantic
    stages = (settings.classifier_blocks,) * 4
    classifier = PreActResNet(image_shape, classes, settings.classifier_width, stages)
    return ClassicalLink(system, classifier, channel)


SCHEME = Scheme(
    name="classical",
    title="JPEG 2000 or AVIF, 5G LDPC and QAM; a classifier on what Bob sees",
    source="baseline of Nan et al., IEEE JSAC 41(8), 2023 (arXiv 2305.07220), section V-B",
    protects="nothing: the unprotected digital reference",
    asymmetry=None,
    deviations=DEVIATIONS,
    objective=lambda recipe, link, eve: Joint(recipe, link, eve, "classical"),
    build=classical_link,
    reference="classical",
    simulates=(),
)
