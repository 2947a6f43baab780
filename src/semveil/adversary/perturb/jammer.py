"""Gaussian jamming as an attack: the control that every other one is plotted beside."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Attack
from semveil.adversary.perturb.psr import jamming
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.recipe import AttackConfig as Settings


class Jamming(Attack):
    """White Gaussian noise of exactly the budget's energy, fresh for every image.

    Example:
        >>> Jamming(Settings()).name
        'jamming'
    """

    name = "jamming"
    needs_gradient = False
    per_input = False

    def __init__(self, settings: Settings) -> None:
        pass

    def craft(
        self,
        victim: Victim,
        scene: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the noise, complex ``[P, B, T]``."""
        signal = scene.arrival.signal
        return torch.stack([jamming(signal, psr_db, generator=source) for psr_db in psrs_db])
