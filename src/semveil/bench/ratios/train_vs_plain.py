"""Training steps: images per second of the training loop over those of a plain one."""

from __future__ import annotations

import torch
from torch.nn import functional

from semveil.bench.agreement import require
from semveil.bench.base import Ratio, Rounds, Tick, Work, alternate
from semveil.bench.link import Rebuild, flat_chain, random_images, train
from semveil.bench.plain import PlainLink, train_plainly
from semveil.link import as_float
from semveil.rng import generator


def require_same_network(objective: Rebuild, plain: PlainLink) -> None:
    """Raise unless both sides rebuild the same images and find the same gradients.

    Raises:
        DisagreementError: If they do not, in float32.

    Example:
        >>> objective = Rebuild(flat_chain)
        >>> require_same_network(objective, PlainLink(objective))
    """
    images = as_float(random_images(8))
    rebuilt, expected = (side(images, generator(0, "same")) for side in (objective, plain))
    require("images rebuilt by the two training loops", rebuilt, expected)
    gradients, wanted = (
        torch.autograd.grad(functional.mse_loss(result, images), list(weights))
        for result, weights in (
            (rebuilt, objective.modules.parameters()),
            (expected, plain.parameters()),
        )
    )
    for ours, theirs in zip(gradients, wanted, strict=True):
        require("gradients of the two training loops", ours, theirs, tolerance=1e-3)


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time one pass over the same images by each loop; see :class:`Ratio`."""
    objective = Rebuild(flat_chain)
    plain = PlainLink(objective)
    require_same_network(objective, plain)
    images = random_images(512 if quick else 2048)
    return alternate(
        Work("plain loop, per image", lambda: train_plainly(plain, images), len(images)),
        Work("training loop", lambda: train(objective, images), len(images)),
        5 if quick else 21,
        tick,
    )


RATIO = Ratio(
    title="Training speed: DeepJSCC over Rayleigh fading, against a plain float32 loop",
    target=(">=", 2.0),
    measure=measure,
)
