"""OFDM-guided JSCC: residual blocks over OFDM."""

from semveil.schemes.base import Scheme, Variant
from semveil.schemes.parts import MOBILESC, OVER_OFDM, semantic_link, without_reconstruction
from semveil.training.joint import Joint

DEVIATIONS = (
    *OVER_OFDM,
    "No adversarial and no channel-estimate loss: it is MobileSC's reference for size and speed.",
)

SCHEME = Scheme(
    name="jscc-ofdm",
    title="OFDM-guided JSCC: residual blocks over OFDM",
    source="Yang, Bian, Kim, arXiv 2109.05194, TCCN 8(2), as the reference of " + MOBILESC,
    protects="nothing by itself; see `semveil harden`",
    asymmetry=None,
    deviations=DEVIATIONS,
    objective=lambda recipe, link, eve: Joint(recipe, link, eve, "jscc-ofdm"),
    build=lambda recipe, shape, classes: semantic_link(recipe, shape, classes, "residual"),
    reference="jscc-ofdm",
    variants={"latent": Variant(None, receive=without_reconstruction)},
    simulates=(),
)
