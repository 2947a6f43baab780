"""A lower bound on the information between image and reception, by a trained critic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from semveil.adversary.eavesdrop.observations import Intercepts, any_of
from semveil.adversary.eavesdrop.trainer import Effort, train_network
from semveil.device import channels_last, native_bfloat16
from semveil.link import as_float
from semveil.metrics.variational import info_nce
from semveil.nets.critic import Critic
from semveil.rng import generator, seeded

_LEAST_BATCH = 256
_CANDIDATES = 512


def fit_critic(
    training: Intercepts,
    validation: Intercepts,
    snrs_db: Sequence[float],
    effort: Effort,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Critic:
    """Train a critic to find the image that a reception belongs to.

    Args:
        training: Eve's receptions of her own images.
        validation: Receptions for early stopping.
        snrs_db: Her mean E_s/N_0, dB; one critic serves them all.
        effort: When it stops.
        seed: Seed of its weights, order, fading and noise.
        progress: Told ``(epochs done, epochs at most)``.

    Returns:
        The critic, in evaluation mode.

    Raises:
        SemveilError: If its loss is not finite.
    """
    device = training.device
    channels, height, width = training.images.shape[1:]
    with seeded(seed, "infonce", "weights"):
        critic = Critic(training.width, (channels, height, width))
    channels_last(critic.to(device))
    levels = torch.tensor(snrs_db, dtype=torch.float32, device=device)
    draws = generator(seed, "infonce", "validation", device=device)
    heard = validation.receive_each(levels, draws).features()

    sent = training

    def begin(epoch: int) -> None:
        nonlocal sent
        sent = training.resent(epoch)

    def step(rows: Tensor, source: torch.Generator) -> Tensor:
        features = sent.hear(rows, any_of(levels, rows, source), source)
        with torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(device)):
            scores = critic(features, as_float(training.images[rows]))
        return math.log(len(rows)) - info_nce(scores).mean()

    def validate() -> float:
        size = min(_CANDIDATES, len(heard))
        candidates = as_float(validation.images[:size])
        return math.log(size) - float(info_nce(critic(heard[:size], candidates)).mean())

    train_network(
        critic,
        step,
        validate,
        len(training),
        # The bound cannot exceed the logarithm of the batch.
        replace(effort, batch=max(effort.batch, _LEAST_BATCH)),
        seed,
        ("infonce",),
        device,
        progress,
        begin,
    )
    return critic


@torch.no_grad()
def information_nats(
    critic: Critic, test: Intercepts, snr_db: float, source: torch.Generator
) -> tuple[Tensor, int]:
    """Return the InfoNCE bound on ``I(x; y)`` at one SNR, contribution by contribution.

    Args:
        critic: A trained critic.
        test: Receptions of images that it was not trained on.
        snr_db: Mean E_s/N_0, dB.
        source: Order of the images, fading and noise.

    Returns:
        Contributions in nats, float ``[M]``, and the number of candidates ``N`` that each was
        found among: 512, or all where there are fewer. The bound is their mean, at most ``ln N``.
    """
    size = min(_CANDIDATES, len(test))
    order = torch.randperm(len(test), generator=source, device=test.device)
    parts = []
    for rows in order[: len(order) // size * size].split(size):
        scores = critic(test.hear(rows, snr_db, source), as_float(test.images[rows]))
        parts.append(info_nce(scores))
    return torch.cat(parts), size
