"""Training steps: images per second of the training loop over those of a plain one."""

from __future__ import annotations

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
        Disagreement: If they do not, in float32.

    Example:
        >>> objective = Rebuild(flat_chain)
        >>> require_same_network(objective, PlainLink(objective))
    """
    images = as_float(random_images(8))
    sides = (objective, objective.modules), (plain, plain)
    rebuilt = [side(images, generator(0, "same")) for side, _ in sides]
    require("images rebuilt by both training loops", *rebuilt)
    for images_back, (_, module) in zip(rebuilt, sides, strict=True):
        functional.mse_loss(images_back, images).backward()
        assert all(parameter.grad is not None for parameter in module.parameters())
    for ours, theirs in zip(objective.modules.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        require("gradients of both training loops", ours.grad, theirs.grad, tolerance=1e-3)


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time one pass over the same images by each loop; see :class:`Ratio`."""
    objective = Rebuild(flat_chain)
    plain = PlainLink(objective)
    require_same_network(objective, plain)
    images = random_images(512 if quick else 2048)
    return alternate(
        Work("plain loop, per image", lambda: train_plainly(plain, images), len(images)),
        Work("training loop", lambda: train(objective, images), len(images)),
        3 if quick else 11,
        tick,
    )


RATIO = Ratio(
    title="Training speed: DeepJSCC over Rayleigh fading, against a plain float32 loop",
    target=(">=", 2.0),
    measure=measure,
)
