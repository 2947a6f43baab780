"""Keyed rotation: an orthogonal transform of the latent, fresh for every message."""

from semveil.protect.rotation import Rotation as Turn
from semveil.schemes.base import SCHEMES, Variant
from semveil.schemes.deepjscc import DeepJSCC
from semveil.style import GREEN, Style


@SCHEMES.register
class Rotation(DeepJSCC):
    """DeepJSCC with a keyed rotation of every block of four reals."""

    name = "rotation"
    style = Style(GREEN)
    description = "keyed rotation of every block of four reals, fresh for every message"
    source = "this project"
    protects = Turn.protects
    asymmetry = "key"
    guarantee = Turn.guarantee
    protections = ("rotation",)
    variants = {
        "haar": Variant(
            lambda link, key: Turn(key, "haar"),
            base="deepjscc",
            guarantee="as the blocks', for the whole latent",
        ),
        "structured": Variant(lambda link, key: Turn(key, "structured"), base="deepjscc"),
    }
    deviations = (
        *DeepJSCC.deviations,
        "Blocks have constant norm, which costs one degree of freedom in four.",
        "Variant ``haar`` turns the whole latent of ``deepjscc`` by a Haar unitary; "
        "``structured`` by signs, permutations and Hadamard transforms, without proof.",
    )
