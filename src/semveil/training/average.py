"""Weights that a link ends with: the last ones, or an average over the last steps."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from semveil.training.checkpoint import load_weights

_PREFIX = "average/"


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
        ...     average.update(module)
        >>> average.hand_over(module)
        >>> module.weight.item()
        1.5
    """

    def __init__(self, modules: nn.Module, decay: float) -> None:
        average = get_ema_multi_avg_fn(decay)
        self.model = AveragedModel(modules, multi_avg_fn=average, use_buffers=True)
        self.model.requires_grad_(False)

    def update(self, modules: nn.Module) -> None:
        """Take a step's weights into the average; the first ones are the average."""
        self.model.update_parameters(modules)

    def state(self) -> dict[str, Tensor]:
        """Return what a checkpoint keeps of it."""
        return {f"{_PREFIX}{name}": value for name, value in self.model.state_dict().items()}

    def restore(self, tensors: dict[str, Tensor], where: Path) -> None:
        """Take what a checkpoint kept.

        Raises:
            SemveilError: If it kept something else.
        """
        mine = {k.removeprefix(_PREFIX): v for k, v in tensors.items() if k.startswith(_PREFIX)}
        load_weights(self.model, mine, where)

    @torch.no_grad()
    def hand_over(self, modules: nn.Module) -> None:
        """Give the modules the averaged weights and statistics."""
        modules.load_state_dict(self.model.module.state_dict())
