"""What several schemes share."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from semveil.channel import OfdmChannel, Reception, channel_of
from semveil.errors import SemveilError
from semveil.link import Answer, LinkNetwork, Modulate, to_waveform
from semveil.links.semantic import SemanticConfig, SemanticLink
from semveil.nets.blocks import Kind
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.nets.preact import PreActResNet
from semveil.nets.semantic import SemanticDecoder, SemanticEncoder, maps_shape
from semveil.protect import Mechanism, protections
from semveil.protect.normalise import normalise_blocks
from semveil.protect.rotation import Rotation
from semveil.recipe import Recipe
from semveil.schemes.base import SCHEMES, Scheme, Variant
from semveil.training.joint import Joint

MOBILESC = "Nan et al., MobileSC, SemAdv and SemMixed, arXiv 2305.07220, JSAC 41(8), 2023"
SURVEY = "Guo, Zhang, Wang, Feng, Quek, privacy-preserving task-oriented semantic communications"


def modulation(recipe: Recipe, noise: Mechanism | None) -> Modulate:
    """Return how features become a waveform under the protections of a recipe."""
    if any(laid.needs_norms for laid in protections(recipe)):
        return partial(normalise_blocks, blocks=Rotation.blocks_of(recipe))
    return to_waveform if noise is None else noise.to_waveform


def refuse_protections(scheme: Scheme) -> None:
    """Refuse protections over a scheme whose link cannot carry any."""
    if scheme.recipe.protections:
        raise SemveilError(f"protections: none can be added to {scheme.name}")


def classifier(settings: SemanticConfig, shape: ImageShape, classes: int) -> PreActResNet:
    """Build a classifier of images or of maps in the size that the recipe asks for."""
    stages = (settings.classifier_blocks,) * 4
    return PreActResNet(shape, classes, settings.classifier_width, stages)


def _without_reconstruction(link: LinkNetwork, reception: Reception) -> Answer:
    assert isinstance(link, SemanticLink)
    return link.understand(reception)


class OverOfdm(Scheme):
    """A semantic link over OFDM; the kind of its blocks tells one scheme from another.

    Attributes:
        kind: Kind of the blocks, see :mod:`semveil.nets.blocks`.
        published_blocks: How many it has in Table III of MobileSC's paper; links have
            ``semantic.blocks``.
        published_width: The ``link.width`` that has as many channels as the paper states.
    """

    protects = "nothing by itself; see `semveil harden`"
    settings = (SemanticConfig,)
    variants = {"latent": Variant(receive=_without_reconstruction)}
    simulates = ()
    composes = True
    keyed_only = True
    deviations: ClassVar[tuple[str, ...]] = (
        "Images are padded to sides that are multiples of eight, MNIST's to 32×32: only so has a "
        "frame one pilot and six data symbols of 64 subcarriers, and the perturbation its 1,134 "
        "reals.",
        "The reconstruction loss, called a cross-entropy of pixels, is the mean squared error "
        "(our reading).",
        "Both classifiers, of the reconstructed image and of the received latent, are "
        "trained together, each by a classifier of its own.",
        "The Rayleigh parameter 1.5 is read as the decay of the power-delay profile, in samples.",
        "The classifier's width and the SNR of training are not stated and are settings here.",
    )
    kind: ClassVar[Kind]
    published_blocks: ClassVar[int] = 4
    published_width: ClassVar[int] = 64

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build a link whose encoder's and decoder's bodies are blocks of a kind."""
        recipe, settings = self.recipe, self.recipe.of(SemanticConfig)
        dim = recipe.link.latent_dim
        if recipe.protections and recipe.bob.ofdm.refine:
            raise SemveilError(
                "bob.ofdm.refine: its networks would correct symbols before Bob decrypts them; set "
                "false under protections"
            )
        _, height, width = maps_shape(image_shape, 1)
        channels, rest = divmod(dim, height * width)
        if rest:
            raise SemveilError(
                f"link.latent_dim: {dim} reals are no whole maps of {height}×{width}, to which "
                f"images of {image_shape[1]}×{image_shape[2]} are encoded"
            )
        channel = channel_of(recipe.bob)
        if isinstance(channel, OfdmChannel):
            channel.symbols(dim // 2)
        sizes = image_shape, channels, recipe.link.width, settings.blocks, self.kind
        try:
            encoder, decoder = SemanticEncoder(*sizes), SemanticDecoder(*sizes)
        except ValueError as error:
            raise SemveilError(
                f"link.width: {recipe.link.width} does not suit {self.name}, whose blocks have "
                f"four times as many channels: {error}"
            ) from None
        return SemanticLink(
            encoder,
            decoder,
            classifier(settings, image_shape, classes),
            classifier(settings, (channels, height, width), classes),
            channel,
            recipe.bob.ofdm.refine,
            modulation(recipe, None),
        )

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> Joint:
        """Return joint training for the task and the image."""
        return Joint(self.recipe, link)


def published_body(name: str) -> tuple[Kind, int]:
    """Return kind and number of the blocks that a scheme over OFDM has in its paper."""
    scheme = SCHEMES.get(name)
    assert issubclass(scheme, OverOfdm)
    return scheme.kind, scheme.published_blocks
