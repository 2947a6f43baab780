"""A cooperative perturbation on the waveform of a link that was trained for its own task alone."""

from collections.abc import Mapping

from semveil.adversary.perturb.cooperative import (
    CooperativeAim,
    GradientLayer,
    LearnedLayer,
    NoiseLayer,
    PerturbationConfig,
    SignalLayer,
    WaveformLayer,
)
from semveil.link import LinkNetwork
from semveil.nets.eavesdropper import SimulatedEve
from semveil.schemes.base import SCHEMES, BuildLayer, Scheme
from semveil.style import GREEN, Style
from semveil.training.cooperative import LearnPerturbation


@SCHEMES.register
class Cooperative(Scheme):
    """A perturbation on the waveform of the unprotected multi-task link."""

    name = "cooperative"
    style = Style(GREEN)
    description = "cooperative perturbation on an unprotected multi-task link"
    source = "Sagduyu, Erpek, Yener, Ulukus, arXiv 2512.24452 (2025)"
    protects = "inference by Eve: of the private attribute, or of the label where there is none"
    asymmetry = "knowledge"
    settings = (PerturbationConfig,)
    base = "multitask"
    deviations = (
        "How the perturbation is crafted, and its power, are not public: one gradient step, "
        "several with projection, or a learned layer, at a PSR that is met exactly and a fixed "
        "total power (our reading).",
        "Alice takes the label to spare from Bob's noiseless answer, not from the data set, "
        "which would write the true label into the waveform; likewise the private attribute to "
        "hide, where ``data.private`` names one, from the surrogate Eve's noiseless answer.",
        "The gradient forms average over channel draws of Alice's own: she knows neither fading.",
        "The perturbation lies on the data symbols and its PSR is counted over them; pilots, "
        "where CSI is estimated, stay clean.",
        "By default Bob's label alone is spared; ``perturbation.image_weight`` spares his image "
        "too.",
    )

    def layer(self, link: LinkNetwork, eve: SimulatedEve, seed: int) -> WaveformLayer:
        """Build the layer in the form that the recipe asks for."""
        recipe, settings = self.recipe, self.recipe.of(PerturbationConfig)
        if settings.form == "learned":
            return LearnedLayer(settings, recipe.link.latent_dim)
        aim = CooperativeAim(settings, link, eve, eve.private)
        return GradientLayer(settings, recipe.bob, recipe.eve, aim, seed)

    def layer_objective(
        self, layer: WaveformLayer, link: LinkNetwork, eve: SimulatedEve
    ) -> LearnPerturbation:
        """Return what trains the learned form."""
        aim = CooperativeAim(self.recipe.of(PerturbationConfig), link, eve, eve.private)
        return LearnPerturbation(self.recipe, layer, aim)

    def controls(self) -> Mapping[str, BuildLayer]:
        """Return noise of the same power, and the same total power spent on the signal.

        Where the total power is one, the second is the base's own waveform and is left out.
        """
        settings = self.recipe.of(PerturbationConfig)
        found: dict[str, BuildLayer] = {"noise": lambda link, eve, seed: NoiseLayer(settings)}
        if settings.total_power != 1.0:
            found["signal"] = lambda link, eve, seed: SignalLayer(settings)
        return found
