"""Training of Eve's networks: Adam, falling learning rates, averaged weights, early stopping."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semveil.errors import SemveilError
from semveil.heap import kept_heap
from semveil.nets.average import MovingAverage
from semveil.rng import generator

Step = Callable[[Tensor, torch.Generator], Tensor]
"""Rows of the training set, int ``[B]``, and a source of randomness → scalar loss."""

_LEARNING_RATE = 2e-3
# The average of the weights reaches back over about as many steps as an epoch has, 200 at most.
_MOST_AVERAGED = 200
# On a small set an epoch has so many steps at least: by smaller batches, down to the least one, and
# by several passes through the images.
_LEAST_STEPS, _LEAST_BATCH = 24, 32
# A round that lowers the validation loss by less is the last one.
_WORTH = 0.005


@dataclass(frozen=True)
class Effort:
    """When an eavesdropper's training stops, and how large its steps are.

    Attributes:
        max_epochs: Upper end of a round of training.
        patience: Epochs without a better validation loss after which it stops.
        batch: Receptions per step; fewer on small sets, where an epoch would have few steps.
        rounds: Rounds at most; another one follows while rounds improve the validation loss.
    """

    max_epochs: int
    patience: int
    batch: int = 256
    rounds: int = 1


@kept_heap()
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
    begin: Callable[[int], None] | None = None,
) -> bool:
    """Train a network in place, in rounds; in each the learning rate falls along a half cosine.

    Every epoch validates the exponential average of the weights, and the network ends in evaluation
    mode with the best of these. A round starts from the best weights so far, at half the
    learning rate of the one before.

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
        begin: Told the number of an epoch before it begins.

    Returns:
        Whether it converged: the validation loss had ceased to improve before the end.

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
        False
        >>> validate() < before
        True
    """
    learned = [weight for weight in network.parameters() if weight.requires_grad]
    batch, passes = batching(images, effort.batch)
    most = effort.max_epochs * effort.rounds
    steps = passes * math.ceil(images / batch)
    reach = min(steps, _MOST_AVERAGED)
    best, best_state, done = float("inf"), copy.deepcopy(network.state_dict()), 0
    for turn in range(effort.rounds):
        network.load_state_dict(best_state)
        peak, before, stale, taken = _LEARNING_RATE / 2**turn, best, 0, 0
        optimiser = torch.optim.Adam(learned, lr=peak, fused=True)
        average = MovingAverage(network, decay=1 - 1 / (1 + reach))
        for epoch in range(effort.max_epochs):
            rate = 0.5 * peak * (1 + math.cos(math.pi * epoch / effort.max_epochs))
            if begin:
                begin(done)
            source = generator(seed, *scope, "epoch", done, device=device)
            network.train()
            for rows in batches(images, batch, passes, source):
                # The first epoch warms up: at once, the full rate drives outputs into saturation.
                taken += 1
                for group in optimiser.param_groups:
                    group["lr"] = rate * min(1.0, taken / steps)
                loss = step(rows, source)
                for weight in learned:
                    weight.grad = None
                # Through a frozen receiver or judge, but not into its weights.
                loss.backward(inputs=learned)
                optimiser.step()
                average.update()
            done, stale = done + 1, stale + 1
            now = _validated(average, network, validate, scope, done)
            if now < best - 1e-4 * abs(now):
                best, best_state, stale = now, copy.deepcopy(average.network.state_dict()), 0
            if progress:
                progress(done, most)
            if stale >= effort.patience:
                break
        if stale >= effort.patience or (turn and best > before - _WORTH * abs(before)):
            break
    else:
        turn = effort.rounds
    network.load_state_dict(best_state)
    network.eval()
    return turn < effort.rounds


def batching(images: int, most: int) -> tuple[int, int]:
    """Return the images of a batch, ``most`` at most, and an epoch's passes through all images."""
    batch = min(most, max(_LEAST_BATCH, images // _LEAST_STEPS))
    return batch, math.ceil(_LEAST_STEPS / math.ceil(images / batch))


def batches(images: int, batch: int, passes: int, source: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows of every step: all images in a new order, a number of times."""
    for _ in range(passes):
        yield from torch.randperm(images, generator=source, device=source.device).split(batch)


def _validated(
    average: MovingAverage,
    network: nn.Module,
    validate: Callable[[], float],
    scope: tuple[str, ...],
    epoch: int,
) -> float:
    """Return the validation loss of the averaged weights, which the network has meanwhile."""
    average.swap()
    network.eval()
    with torch.no_grad():
        loss = validate()
    average.swap()
    if loss != loss:
        raise SemveilError(f"{'/'.join(scope)}: loss is not finite in epoch {epoch}")
    return loss
