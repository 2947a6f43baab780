"""The cooperative perturbation on a link that was itself trained in the min-max game."""

from semveil.schemes.base import SCHEMES
from semveil.schemes.cooperative import Cooperative


@SCHEMES.register
class MinMaxCooperative(Cooperative):
    """The cooperative perturbation on the min-max link."""

    name = "minmax-cooperative"
    description = "cooperative perturbation on a min-max link"
    base = "minmax"
