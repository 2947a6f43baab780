"""Encrypted semantic communication: a learned encryptor and decryptor."""

from semveil.link import LinkNetwork
from semveil.links.cipher import CipherLink, LearnedTransform
from semveil.recipe import Recipe
from semveil.schemes.base import Scheme, Variant
from semveil.schemes.parts import cipher_link
from semveil.training.task import TaskOriented


def _cover(recipe: Recipe, link: LinkNetwork, key: bytes) -> LearnedTransform:
    assert isinstance(link, CipherLink)
    return LearnedTransform(link, key)


SCHEME = Scheme(
    name="cipher",
    title="learned encryptor and decryptor, trained against a simulated Eve",
    source="Luo, Chen, Tao, Yang, IEEE Commun. Lett. 27(6), 2023 (arXiv 2209.09008)",
    protects="the image, from whoever lacks the key",
    asymmetry="key",
    guarantee="none: a network trained against one adversary",
    deviations=(
        "Formulas, key length and layers are not public: encryptor and decryptor mix the "
        "waveform's reals, weigh the mixtures by a key of ``cipher.key_bits`` random signs, fresh "
        "for every message, and mix them again (our reading). Dense networks that are only shown "
        "the key learn to do without it.",
        "What Bob understands with a wrong key counts against the pair, no further than chance: "
        "without this term the key is not used.",
        "The paper encrypts text; here it is the waveform of an image.",
        "Eve's error counts no further than the mean image's: unbounded, it is won by driving one "
        "network astray.",
        "The same link works without encryption, and is measured so as variant ``plain``.",
    ),
    objective=lambda recipe, link, eve: TaskOriented(
        recipe, link, eve, "cipher", inverter=recipe.cipher.weight
    ),
    build=cipher_link,
    cover=_cover,
    variants={"plain": Variant(None)},
    reference="deepjscc",
    simulates=("image",),
)
