"""MobileSC: light semantic link over OFDM."""

from semveil.schemes.base import Scheme, Variant
from semveil.schemes.parts import MOBILESC, OVER_OFDM, semantic_link, without_reconstruction
from semveil.training.joint import Joint

DEVIATIONS = (
    *OVER_OFDM,
    "The exact SemBlock is not printed: 1×1, depth-wise 3×1 and 1×3, 1×1, channel and shuffle "
    "attention beside each other, residual. It gives the published count of the encoder exactly; "
    "of the decoder's two are missing, which no block that is the same at both ends can give.",
    "Shuffle attention's last shuffle only renames channels here and is left out; the split "
    "convolution is computed as the one 3×3 kernel that equals it.",
)

SCHEME = Scheme(
    name="mobilesc",
    title="MobileSC: light semantic link over OFDM",
    source=MOBILESC,
    protects="nothing by itself; see `semveil harden`",
    asymmetry=None,
    deviations=DEVIATIONS,
    objective=lambda recipe, link, eve: Joint(recipe, link, eve, "mobilesc"),
    build=lambda recipe, shape, classes: semantic_link(recipe, shape, classes, "semblock"),
    reference="mobilesc",
    variants={"latent": Variant(None, receive=without_reconstruction)},
    simulates=(),
)
