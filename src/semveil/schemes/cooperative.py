"""A cooperative perturbation on the waveform of a link that was trained for its own task alone."""

from torch import nn

from semveil.adversary.perturb.cooperative import (
    CooperativeAim,
    GradientLayer,
    LearnedLayer,
    NoiseLayer,
    SignalLayer,
)
from semveil.link import LinkNetwork
from semveil.nets.eavesdropper import SimulatedEve
from semveil.recipe import Recipe
from semveil.schemes.base import Scheme


def perturbation_layer(
    recipe: Recipe, link: LinkNetwork, eve: SimulatedEve, seed: int
) -> nn.Module:
    """Build the layer in the form that the recipe asks for."""
    if recipe.perturbation.form == "learned":
        return LearnedLayer(recipe, recipe.link.latent_dim)
    return GradientLayer(recipe, CooperativeAim(recipe, link, eve), seed)


CONTROLS = {
    "noise": lambda recipe, link, eve, seed: NoiseLayer(recipe),
    "signal": lambda recipe, link, eve, seed: SignalLayer(recipe),
}

DEVIATIONS = (
    "How the perturbation is crafted, and its power, are not public: one gradient step, several "
    "with projection, or a learned layer, at a PSR that is met exactly and a fixed total power "
    "(our reading).",
    "Alice takes the label to spare from Bob's noiseless answer, not from the data set, which "
    "would write the true label into the waveform.",
    "The gradient forms average over channel draws of Alice's own: she knows neither fading.",
    "The perturbation lies on the data symbols and its PSR is counted over them; pilots, where "
    "CSI is estimated, stay clean.",
    "By default Bob's label alone is spared; ``perturbation.image_weight`` spares his image too.",
)

SCHEME = Scheme(
    name="cooperative",
    title="cooperative perturbation on an unprotected multi-task link",
    source="Sagduyu, Erpek, Yener, Ulukus, arXiv 2512.24452 (2025)",
    protects="inference of the label by Eve",
    asymmetry="knowledge",
    deviations=DEVIATIONS,
    base="multitask",
    layer=perturbation_layer,
    controls=CONTROLS,
)
