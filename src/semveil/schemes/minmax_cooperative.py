"""The cooperative perturbation on a link that was itself trained in the min-max game."""

from semveil.schemes.base import SCHEMES
from semveil.schemes.cooperative import Cooperative
from semveil.style import PURPLE, Style


@SCHEMES.register
class MinMaxCooperative(Cooperative):
    """The cooperative perturbation on the min-max link."""

    name = "minmax-cooperative"
    style = Style(PURPLE)
    description = "cooperative perturbation on a min-max link"
    base = "minmax"
