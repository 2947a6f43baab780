"""The multi-task link trained in an iterative min-max game against a simulated Eve."""

from semveil.link import LinkNetwork
from semveil.nets.eavesdropper import SimulatedEve
from semveil.schemes.base import SCHEMES, Scheme
from semveil.style import VERMILLION, Style
from semveil.training import minmax
from semveil.training.minmax import MinMaxConfig


@SCHEMES.register
class MinMax(Scheme):
    """The multi-task link, trained in a game against a simulated Eve."""

    name = "minmax"
    style = Style(VERMILLION)
    description = "multi-task link trained in a min-max game against a simulated Eve"
    source = "Sagduyu, Erpek, Yener, Ulukus, arXiv 2512.24452 (2025)"
    protects = "inference by Eve: of the private attribute, or of the label where there is none"
    asymmetry = "knowledge"
    settings = (MinMaxConfig,)
    deviations = (
        "The privacy term is bounded (clipped cross-entropy by default; towards the uniform "
        "posterior and |CE − ln C| to choose): the unbounded −CE is won by one exploding logit.",
        "Ratio of steps, weight, pre-training and Eve's SNR are not public: free in the recipe. "
        "The recipes give Eve one step to several of Alice's and Bob's, because her accuracy "
        "hardly falls where she keeps pace.",
        "After the game Bob's heads alone are trained on (``privacy.polish_epochs``): the game "
        "leaves them behind the encoder that it moved.",
        "Alice's and Bob's gradient passes through Eve's current weights, not through her updates.",
        "Eve infers Bob's task, as in the paper, unless ``data.private`` names another attribute; "
        "then the game hides that attribute.",
        "``privacy.eves`` simulates several Eves, whose mean posterior Alice's loss is of; the "
        "paper has one.",
    )

    def objective(self, link: LinkNetwork, eve: SimulatedEve | None) -> minmax.MinMax:
        """Return the game."""
        return minmax.MinMax(self.recipe, link, eve, self.recipe.of(MinMaxConfig))
