"""The multi-task link without protection: the reference for all that protect it."""

from semveil.link import LinkNetwork
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.schemes.base import SCHEMES, Scheme
from semveil.schemes.parts import modulation
from semveil.style import BLUE, Style
from semveil.training import minmax
from semveil.training.minmax import MinMaxConfig


@SCHEMES.register
class Multitask(Scheme):
    """The multi-task link, trained for the task and the image alone."""

    name = "multitask"
    style = Style(BLUE)
    description = "multi-task semantic link, unprotected"
    source = "Sagduyu, Erpek, Yener, Ulukus, arXiv 2512.24452 (2025)"
    protects = "nothing: the reference"
    settings = (MinMaxConfig,)
    composes = True
    keyed_only = True
    deviations = (
        "Layer sizes, loss weights and SNRs are not in the part of the paper that is public: the "
        "trunk of the task-oriented links, a linear layer to the latent, a dense semantic head, "
        "residual blocks beside a linear map for the image (our reading).",
        "Receivers see MMSE-equalised symbols and their reliability; CSI perfect by default.",
        "The simulated Eve learns alongside, without influence on Alice.",
    )

    def build(self, image_shape: ImageShape, classes: int) -> LinkNetwork:
        """Build the link with the added protections."""
        link = super().build(image_shape, classes)
        link.modulate = modulation(self.recipe, None)
        return link

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> minmax.MinMax:
        """Return training without the game: Eve learns alongside, without influence."""
        settings = self.recipe.of(MinMaxConfig).model_copy(update={"weight": 0.0})
        return minmax.MinMax(self.recipe, link, eve, settings)
