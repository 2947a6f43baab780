"""Encrypted semantic communication: a learned encryptor and decryptor."""

from typing import Annotated

from pydantic import Field

from semveil.channel import channel_of
from semveil.errors import SemveilError
from semveil.link import LinkNetwork
from semveil.links.cipher import CipherLink, LearnedTransform
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.nets.task import TaskEncoder
from semveil.recipe import Section, Weight
from semveil.schemes.base import SCHEMES, Variant
from semveil.schemes.deepjscc import DeepJSCC
from semveil.style import PURPLE, Style
from semveil.training.task import InverterConfig, TaskOriented


@SCHEMES.register
class Cipher(DeepJSCC):
    """A link with a learned encryptor and decryptor."""

    name = "cipher"
    style = Style(PURPLE)
    description = "learned encryptor and decryptor, trained against a simulated Eve"
    source = "Luo, Chen, Tao, Yang, IEEE Commun. Lett. 27(6), 2023 (arXiv 2209.09008)"
    protects = "the image, from receivers without the key"
    asymmetry = "key"
    guarantee = "none: a network trained against one adversary"
    settings = (InverterConfig,)
    composes = False
    variants = {"plain": Variant()}
    deviations = (
        "Formulas, key length and layers are not public: encryptor and decryptor mix the "
        "waveform's reals, weigh the mixtures by a key of ``cipher.key_bits`` random signs, "
        "fresh for every message, and mix them again (our reading). Dense networks that are only "
        "shown the key learn to do without it.",
        "What Bob understands with a wrong key counts against the pair, no further than chance: "
        "without this term the key is not used.",
        "The paper encrypts text; here it is the waveform of an image.",
        "Eve's error counts no further than the mean image's: unbounded, it is won by driving "
        "one network astray.",
        "The same link works without encryption, and is measured so as variant ``plain``.",
    )

    class Config(Section):
        """Sizes and weights of the learned encryptor.

        Attributes:
            key_bits: Bits of the key that the encryptor reads.
            weight: Weight of Eve's error in adversarial encryption training.
            key_weight: Weight of what Bob would understand with a wrong key.
            plain_weight: Weight of Bob's loss without encryption.
        """

        key_bits: Annotated[int, Field(ge=8, le=4096)] = 128
        weight: Weight = 1.0
        key_weight: Weight = 1.0
        plain_weight: Weight = 1.0

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build a link with a learned encryptor and decryptor."""
        recipe, dim = self.recipe, self.recipe.link.latent_dim
        if recipe.protections:
            raise SemveilError("protections: cipher encrypts by itself; no protection can be added")
        return CipherLink(
            TaskEncoder(image_shape, dim, recipe.link.width),
            self.head(classes),
            channel_of(recipe.bob),
            dim,
            recipe.of(self.Config).key_bits,
        )

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> TaskOriented:
        """Return training for the task, with and without the key, against a simulated Eve."""
        settings = self.recipe.of(self.Config)
        return TaskOriented(
            self.recipe,
            link,
            eve,
            inverter=self.recipe.of(InverterConfig).model_copy(update={"weight": settings.weight}),
            plain_weight=settings.plain_weight,
            key_weight=settings.key_weight,
        )

    def transform(self, link: LinkNetwork, key: bytes) -> LearnedTransform:
        """Return the trained encryptor and decryptor under a key."""
        assert isinstance(link, CipherLink)
        return LearnedTransform(link, key)
