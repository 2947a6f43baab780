"""The attacks there are, by name."""

from __future__ import annotations

from collections.abc import Callable

from semveil.adversary.perturb.attack import Attack
from semveil.adversary.perturb.blackbox import BlackBox
from semveil.adversary.perturb.iterative import FGM, PGD
from semveil.adversary.perturb.jammer import Jamming
from semveil.adversary.perturb.pgm import PGM
from semveil.adversary.perturb.semadv import SemAdv
from semveil.adversary.perturb.transfer import Transfer
from semveil.adversary.perturb.universal import UAP
from semveil.recipe import AttackConfig as Settings

ATTACKS: dict[str, Callable[[Settings], Attack]] = {
    "jamming": Jamming,
    "fgm": FGM,
    "pgd": PGD,
    "uap": UAP,
    "blackbox": BlackBox,
    "transfer": Transfer,
    "pgm": PGM,
    "semadv": SemAdv,
}


def build(name: str, settings: Settings) -> Attack:
    """Return an attack by its name in :data:`semveil.recipe.PERTURBERS`.

    Example:
        >>> build("fgm", Settings()).name
        'fgm'
    """
    return ATTACKS[name](settings)
