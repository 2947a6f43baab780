"""The exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """The exponential moving average of all parameters and buffers of a network in training.

    It computes what ``torch.optim.swa_utils.AveragedModel`` does, and lists the tensors only once:
    in a small network, to list them at every step takes a tenth of the training.

    Args:
        network: The network; its tensors stay the same objects while it trains.
        decay: Weight of what was averaged before, per step.

    Attributes:
        network: A copy of the network, with the averaged weights.
        steps: Steps that were averaged.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> average = MovingAverage(network, decay=0.5)
        >>> for value in 1.0, 2.0:
        ...     _ = nn.init.constant_(network.weight, value)
        ...     average.update()
        >>> average.network.weight.item()
        1.5
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self.decay, self.steps = decay, 0
        self._pairs = list(zip(_tensors(self.network), _tensors(network), strict=True))
        floating = [pair for pair in self._pairs if pair[0].is_floating_point()]
        self._floating = [mine for mine, _ in floating], [theirs for _, theirs in floating]

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of a step into the average; the first ones are the average."""
        if self.steps == 0:
            for mine, theirs in self._pairs:
                mine.copy_(theirs)
        else:
            torch._foreach_lerp_(*self._floating, 1 - self.decay)
            for mine, theirs in self._pairs:
                if not mine.is_floating_point():
                    mine.copy_(mine * self.decay + theirs * (1 - self.decay))
        self.steps += 1

    def swap(self) -> None:
        """Give the network the averaged weights and take its own, until it is called again."""
        for mine, theirs in self._pairs:
            mine.data, theirs.data = theirs.data, mine.data


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
