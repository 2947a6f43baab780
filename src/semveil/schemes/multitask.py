"""The multi-task link without protection: the reference for all that protect it."""

from semveil.schemes.base import Scheme
from semveil.training.minmax import MinMax

SCHEME = Scheme(
    name="multitask",
    title="multi-task semantic link, unprotected",
    source="Sagduyu, Erpek, Yener, Ulukus, arXiv 2512.24452 (2025)",
    protects="nothing: the reference",
    asymmetry=None,
    deviations=(
        "Layer sizes, loss weights and SNRs are not in the part of the paper that is public: "
        "3×3 convolutions, a linear layer to the latent, dense semantic head, transposed "
        "convolutions for the image (our reading).",
        "Receivers see MMSE-equalised symbols and their reliability; CSI perfect by default.",
        "The simulated Eve learns alongside, without influence on Alice.",
    ),
    objective=lambda recipe, link, eve: MinMax(recipe, link, eve, 0.0, "multitask"),
)
