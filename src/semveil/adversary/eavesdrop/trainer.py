"""Training of Eve's networks: Adam, a falling learning rate, early stopping."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semveil.errors import SemveilError
from semveil.rng import generator

Step = Callable[[Tensor, torch.Generator], Tensor]
"""Rows of the training set, int ``[B]``, and a source of randomness → scalar loss."""

_BATCH = 256
_LEARNING_RATE = 2e-3


@dataclass(frozen=True)
class Effort:
    """When an eavesdropper's training stops, and how large its steps are.

    Attributes:
        max_epochs: Upper end of the training.
        patience: Epochs without a better validation loss after which it stops.
        batch: Receptions per step.
    """

    max_epochs: int
    patience: int
    batch: int = 256


def train_network(
    network: nn.Module,
    step: Step,
    validate: Callable[[], float],
    images: int,
    effort: Effort,
    seed: int,
    scope: tuple[str, ...],
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Train a network in place; the learning rate falls along a half cosine.

    The network ends in evaluation mode, with the weights that had the best validation loss.

    Args:
        network: What is trained.
        step: Loss of a batch.
        validate: Loss on the validation set, the same draws at every call.
        images: Size of the training set.
        effort: When it stops.
        seed: Seed of the order of the images and of all that ``step`` draws.
        scope: Names its random streams and its errors.
        device: Where the generators live.
        progress: Told ``(epochs done, epochs at most)``.

    Raises:
        SemveilError: If the validation loss is not a number.

    Example:
        >>> from semveil.rng import seeded
        >>> with seeded(0):
        ...     network = nn.Linear(1, 1)
        >>> def loss(rows, source):
        ...     return (network(torch.ones(len(rows), 1)) - 3).square().mean()
        >>> def validate():
        ...     return loss(torch.arange(4), None).item()
        >>> before = validate()
        >>> cpu = torch.device("cpu")
        >>> train_network(network, loss, validate, 512, Effort(20, 5), 0, ("toy",), cpu)
        >>> validate() < before
        True
    """
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    optimiser = torch.optim.Adam(learned, lr=_LEARNING_RATE)
    batch = min(effort.batch, images)
    best, best_state, stale = float("inf"), copy.deepcopy(network.state_dict()), 0
    for epoch in range(effort.max_epochs):
        for group in optimiser.param_groups:
            group["lr"] = 0.5 * _LEARNING_RATE * (1 + math.cos(math.pi * epoch / effort.max_epochs))
        source = generator(seed, *scope, "epoch", epoch, device=device)
        network.train()
        for rows in torch.randperm(images, generator=source, device=device).split(batch):
            loss = step(rows, source)
            optimiser.zero_grad(set_to_none=True)
            # Through a frozen receiver or judge, but not into its weights.
            loss.backward(inputs=learned)
            optimiser.step()
        network.eval()
        with torch.no_grad():
            now = validate()
        if now != now:
            raise SemveilError(f"{'/'.join(scope)}: loss is not finite in epoch {epoch + 1}")
        if progress:
            progress(epoch + 1, effort.max_epochs)
        if now < best * (1 - 1e-4):
            best, best_state, stale = now, copy.deepcopy(network.state_dict()), 0
            continue
        stale += 1
        if stale == effort.patience:
            break
    network.load_state_dict(best_state)
    network.eval()
