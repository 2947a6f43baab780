"""Training a fresh eavesdropper to convergence, and scoring her."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.eavesdrop.observations import Intercepts, any_of
from semveil.adversary.eavesdrop.trainer import Effort, train_network
from semveil.device import channels_last, native_bfloat16
from semveil.link import as_float
from semveil.nets.eavesdropper import inference_network, inversion_network
from semveil.rng import generator, seeded


@dataclass(frozen=True)
class Goal:
    """What an eavesdropper is after.

    Attributes:
        name: ``inference`` (the label) or ``inversion`` (the image).
        target: ``label`` or ``image``, as records say it.
        build: Capacity, inputs, image shape, classes → network.
        loss: Output, images float, labels → scalar.
        variant: What its name in the records ends in, where it is not the plain one.
    """

    name: str
    target: str
    build: Callable[[str, int, tuple[int, int, int], int], nn.Module]
    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    variant: str = ""

    def adversary(self, capacity: str) -> str:
        """Return the name of the Eve of this goal and capacity, as records carry it.

        Example:
            >>> INVERSION.adversary("deconv")
            'inversion/deconv'
        """
        return f"{self.name}/{capacity}{self.variant}"


INFERENCE = Goal(
    "inference",
    "label",
    lambda capacity, inputs, shape, classes: inference_network(capacity, inputs, classes),
    lambda output, images, labels: F.cross_entropy(output.float(), labels),
)
INVERSION = Goal(
    "inversion",
    "image",
    lambda capacity, inputs, shape, classes: inversion_network(capacity, inputs, shape),
    lambda output, images, labels: F.mse_loss(output.float(), images),
)


def fit_eavesdropper(
    goal: Goal,
    capacity: str,
    training: Intercepts,
    validation: Intercepts,
    snrs_db: Sequence[float],
    classes: int,
    effort: Effort,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> nn.Module:
    """Train an eavesdropper from scratch, the learning rate falling along a half cosine.

    One network serves all of Eve's SNRs: each training image gets one of them at random, and the
    reliability among her inputs tells her which she has. Under fading every mean SNR is a
    mixture anyway.

    Args:
        goal: What she is after.
        capacity: Which of the goal's networks.
        training: Her receptions of images that the defence was not trained on.
        validation: Receptions for early stopping.
        snrs_db: Her mean E_s/N_0, dB.
        classes: Labels of the task.
        effort: When she stops.
        seed: Seed of her weights, order, fading and noise.
        progress: Told ``(epochs done, epochs at most)``.

    Returns:
        The network with the best validation loss, in evaluation mode.

    Raises:
        SemveilError: If her loss is not finite.
    """
    device = training.device
    channels, height, width = training.images.shape[1:]
    shape = (channels, height, width)
    scope = (goal.name, capacity + goal.variant)
    with seeded(seed, *scope, "weights"):
        network = goal.build(capacity, training.width, shape, classes)
    network = channels_last(network.to(device))
    levels = torch.tensor(snrs_db, dtype=torch.float32, device=device)
    heard = validation.rehearse(levels, generator(seed, *scope, "validation", device=device))

    def step(rows: Tensor, source: torch.Generator) -> Tensor:
        features = training.hear(rows, any_of(levels, rows, source), source)
        with torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(device)):
            output = network(features)
        return goal.loss(output, as_float(training.images[rows]), training.labels[rows])

    train_network(
        network,
        step,
        lambda: _validate(goal, network, heard, validation),
        len(training),
        effort,
        seed,
        scope,
        device,
        progress,
    )
    return network


def _validate(goal: Goal, network: nn.Module, heard: Tensor, validation: Intercepts) -> float:
    total = 0.0
    for rows in torch.arange(len(heard), device=heard.device).split(2000):
        with torch.autocast(
            heard.device.type, torch.bfloat16, enabled=native_bfloat16(heard.device)
        ):
            output = network(heard[rows])
        loss = goal.loss(output, as_float(validation.images[rows]), validation.labels[rows])
        total += float(loss) * len(rows)
    return total / len(heard)


@torch.no_grad()
def listen(
    network: nn.Module,
    test: Intercepts,
    snr_db: float,
    source: torch.Generator,
    most: int | None = None,
) -> Tensor:
    """Let a trained eavesdropper hear the test images once, at one SNR.

    Args:
        network: Her network.
        test: Her receptions of the test images.
        snr_db: Her mean E_s/N_0, dB.
        source: Fading and noise.
        most: How many of the first images she hears; all if None.

    Returns:
        Her outputs in float32: logits ``[N, classes]`` or images ``[N, C, H, W]``.
    """
    network.eval()
    rows = torch.arange(min(most or len(test), len(test)), device=test.device)
    return torch.cat([network(test.hear(some, snr_db, source)) for some in rows.split(2000)])
