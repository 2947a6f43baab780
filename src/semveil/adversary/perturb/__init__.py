"""Perturbations of the waveform at a stated PSR: attacks, and the cooperative perturbation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semveil.recipe import AttackConfig
from semveil.registry import Registry

if TYPE_CHECKING:
    from semveil.adversary.perturb.attack import Attack

ATTACKS: Registry[Attack] = Registry("attack", "semveil.adversary.perturb", section=AttackConfig)
