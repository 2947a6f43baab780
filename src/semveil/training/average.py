"""Weights that a link ends with: the last ones, or an average over the last steps."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from semveil.errors import SemveilError
from semveil.nets.average import MovingAverage
from semveil.training.checkpoint import load_weights

_WEIGHTS, _STEPS = "average/module.", "average/n_averaged"


class WeightAverage:
    """The exponential moving average of all weights and statistics of modules in training.

    Args:
        modules: The modules, which go on training with weights of their own.
        decay: Weight of what was averaged before, per step.

    Example:
        >>> module = nn.Linear(1, 1, bias=False)
        >>> average = WeightAverage(module, decay=0.5)
        >>> for value in 1.0, 2.0:
        ...     _ = nn.init.constant_(module.weight, value)
        ...     average.update()
        >>> average.hand_over(module)
        >>> module.weight.item()
        1.5
    """

    def __init__(self, modules: nn.Module, decay: float) -> None:
        self.average = MovingAverage(modules, decay)

    def update(self) -> None:
        """Take a step's weights into the average; the first ones are the average."""
        self.average.update()

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps of it."""
        weights = self.average.network.state_dict()
        named = {f"{_WEIGHTS}{name}": value for name, value in weights.items()}
        return {_STEPS: torch.tensor(self.average.steps), **named}

    def restore(self, tensors: dict[str, Tensor], where: Path) -> None:
        """Take what a checkpoint kept.

        Raises:
            SemveilError: If it kept something else.
        """
        mine = {k.removeprefix(_WEIGHTS): v for k, v in tensors.items() if k.startswith(_WEIGHTS)}
        load_weights(self.average.network, mine, where)
        if _STEPS not in tensors:
            raise SemveilError(f"checkpoint {where} is damaged: {_STEPS} is missing")
        self.average.steps = int(tensors[_STEPS])

    @torch.no_grad()
    def hand_over(self, modules: nn.Module) -> None:
        """Give the modules the averaged weights and statistics."""
        modules.load_state_dict(self.average.network.state_dict())
