"""The seam between a training loop and what is trained: turns that alternate.

A turn updates some parameters by one loss. A game between parties is a list of turns per step;
plain training is a list of one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn

from semveil.rng import Randomness


@dataclass(frozen=True)
class Batch:
    """Images of one step.

    Attributes:
        images: float ``[B, C, H, W]`` in [0, 1].
        labels: int ``[B]``.
    """

    images: Tensor
    labels: Tensor


Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Turn:
    """One party's update.

    Attributes:
        player: Whose turn it is, a key of the objective's ``players``.
        loss: The losses of a batch, each a scalar; the one called ``total`` is minimised, the
            others are only written down.
    """

    player: str
    loss: Callable[[Batch, Randomness], Losses]


class Objective(Protocol):
    """What a training loop trains.

    Attributes:
        name: Stage of the run, such as ``link``; names its checkpoint and random streams.
        modules: Everything whose state a checkpoint must hold.
        players: Parameters of each party that takes turns.
    """

    name: str
    modules: nn.ModuleDict
    players: dict[str, list[nn.Parameter]]

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return who moves at a step, in order."""
        ...
