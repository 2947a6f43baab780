"""Semantic link of MobileNetV2 blocks over OFDM."""

from semveil.schemes.base import Scheme, Variant
from semveil.schemes.parts import MOBILESC, OVER_OFDM, semantic_link, without_reconstruction
from semveil.training.joint import Joint

DEVIATIONS = (
    *OVER_OFDM,
    "Inverted residuals of expansion 2 at 256 channels, which give the published parameter counts.",
)

SCHEME = Scheme(
    name="mobilenetv2",
    title="semantic link of MobileNetV2 blocks over OFDM",
    source="Sandler et al., CVPR 2018, as the reference of " + MOBILESC,
    protects="nothing by itself; see `semveil harden`",
    asymmetry=None,
    deviations=DEVIATIONS,
    objective=lambda recipe, link, eve: Joint(recipe, link, eve, "mobilenetv2"),
    build=lambda recipe, shape, classes: semantic_link(recipe, shape, classes, "inverted"),
    reference="mobilenetv2",
    variants={"latent": Variant(None, receive=without_reconstruction)},
    simulates=(),
)
