"""Attacks on the receiver as objects, with settings of their own.

``semveil.attacks.PGD(steps=20)`` makes one; a subclass of :class:`Attack` works as well, and can be
chosen by its name after ``@ATTACKS.register``. :func:`standard` returns all with their defaults.
"""

from __future__ import annotations

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.apgd import APGD
from semveil.adversary.perturb.attack import Attack, Goal, in_order
from semveil.adversary.perturb.blackbox import BlackBox
from semveil.adversary.perturb.iterative import FGM, PGD
from semveil.adversary.perturb.jamming import (
    Jamming,
    PilotJamming,
    SubcarrierJamming,
    TimedJamming,
)
from semveil.adversary.perturb.minimum import MinimumPower
from semveil.adversary.perturb.pgm import PGM
from semveil.adversary.perturb.relay import Relay
from semveil.adversary.perturb.semadv import SemAdv
from semveil.adversary.perturb.transfer import Transfer
from semveil.adversary.perturb.universal import UAP
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.adversary.perturb.vulnerable import VulnerableSet

__all__ = [
    "APGD",
    "ATTACKS",
    "FGM",
    "PGD",
    "PGM",
    "UAP",
    "Attack",
    "BlackBox",
    "Goal",
    "IncomingBatch",
    "Jamming",
    "MinimumPower",
    "PilotJamming",
    "Relay",
    "SemAdv",
    "SubcarrierJamming",
    "TimedJamming",
    "Transfer",
    "Victim",
    "VulnerableSet",
    "standard",
]


def standard() -> list[Attack]:
    """Return every registered attack, with its default settings.

    Example:
        >>> [attack.name for attack in standard()][:3]
        ['jamming', 'timed-jamming', 'pilot-jamming']
    """
    return [ATTACKS.get(name)() for name in in_order()]
