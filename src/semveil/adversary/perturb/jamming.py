"""Gaussian jamming as an attack: the control that every other attack is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Attack
from semveil.adversary.perturb.psr import jamming
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.style import FAINT, Style


@ATTACKS.register
class Jamming(Attack):
    """White Gaussian noise of exactly the budget's energy, fresh for every image.

    Example:
        >>> Jamming().per_input
        False
    """

    name = "jamming"
    description = "white Gaussian noise of the same energy: the control"
    source = "the project's own control"
    per_input = False
    style = Style(FAINT, "x", 10)

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the noise, complex ``[P, B, T]``."""
        signal = incoming.arrival.signal
        return torch.stack([jamming(signal, psr_db, generator=source) for psr_db in psrs_db])
