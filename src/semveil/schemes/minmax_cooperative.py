"""The cooperative perturbation on a link that was itself trained in the min-max game."""

from semveil.schemes.base import Scheme
from semveil.schemes.cooperative import CONTROLS, DEVIATIONS, perturbation_layer

SCHEME = Scheme(
    name="minmax-cooperative",
    title="cooperative perturbation on a min-max link",
    source="Sagduyu, Erpek, Yener, Ulukus, arXiv 2512.24452 (2025)",
    protects="inference of the label by Eve",
    asymmetry="knowledge",
    deviations=DEVIATIONS,
    base="minmax",
    layer=perturbation_layer,
    controls=CONTROLS,
)
