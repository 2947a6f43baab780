"""DeepJSCC-Encryption as the survey describes it: the order of the features is the secret."""

from semveil.protect.shuffle import Shuffle as Permutation
from semveil.schemes.base import SCHEMES, Scheme, Variant
from semveil.schemes.parts import SURVEY
from semveil.style import SKY, Style


@SCHEMES.register
class Shuffle(Scheme):
    """The link of DeepJSCC with a keyed permutation of its waveform."""

    name = "shuffle"
    style = Style(SKY)
    description = "keyed permutation of the features, fresh for every message"
    source = SURVEY
    protects = Permutation.protects
    asymmetry = "key"
    guarantee = Permutation.guarantee
    base = "deepjscc"
    reference = "deepjscc"
    protections = ("shuffle",)
    variants = {
        "fixed-key": Variant(lambda link, key: Permutation(key, fresh=False), fixed_key=True)
    }
    simulates = ("image",)
    deviations = (
        "The survey names key-guided shuffling and gives no generator: a uniform permutation of "
        "the reals from a ChaCha20 keystream (our reading).",
        "A permutation commutes with white noise and flat gains, so Bob uses the trained link of "
        "``deepjscc`` and loses nothing.",
    )
