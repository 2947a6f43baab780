"""The interface between the training loop and objectives: turns of players.

A turn updates some parameters by one loss. A game between parties has several turns per step, plain
training has one.
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
        labels: Classes of Bob's task, int ``[B]``.
        private: Private classes, int ``[B]``; None if Eve is after Bob's task.
        smaller: The images as Alice encodes them early in training, float ``[B, C, H', W']``; None
            if she encodes ``images``.
    """

    images: Tensor
    labels: Tensor
    private: Tensor | None = None
    smaller: Tensor | None = None

    @property
    def encoded(self) -> Tensor:
        """What Alice encodes: the images, or smaller ones."""
        return self.images if self.smaller is None else self.smaller

    @property
    def eve_labels(self) -> Tensor:
        """What Eve infers: the private attribute, or else Bob's task."""
        return self.labels if self.private is None else self.private


Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Turn:
    """The update of one player.

    Attributes:
        player: The player, a key of the objective's ``players``.
        loss: Returns the losses of a batch, scalars; ``total`` is minimised, the others are only
            logged.
    """

    player: str
    loss: Callable[[Batch, Randomness], Losses]


class Objective(Protocol):
    """An objective of the training loop.

    Attributes:
        name: Stage of the run, such as ``link``; names its checkpoint and random streams.
        modules: Modules whose state belongs in a checkpoint.
        players: Parameters of each player.
    """

    name: str
    modules: nn.ModuleDict
    players: dict[str, list[nn.Parameter]]

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return the turns of a step, in order."""
        ...
