"""What being digital costs: quantisation, modulation, demodulation in a training step of LBVQ."""

from __future__ import annotations

import logging

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from semveil import recipe as recipes
from semveil.bench.base import Ratio, Rounds, Tick, Work, alternate
from semveil.bench.link import IMAGE_SHAPE, random_images
from semveil.links.digital import DigitalLink
from semveil.nets.eavesdropper import SimulatedEve
from semveil.rng import Randomness, generator, normal, seeded
from semveil.schemes import base as schemes
from semveil.train.loop import Schedule, fit, resolve_precision

CLASSES = 10


class Training:
    """LBVQ as its recipe for CIFAR-10 trains it: 128 reals, 16 codewords, batches of 256.

    Args:
        batch: Images per step.

    Example:
        >>> Training(batch=2).link.codebook.words.shape
        torch.Size([16, 64])
    """

    def __init__(self, batch: int | None = None) -> None:
        self.recipe = recipes.load("lbvq-cifar10")
        self.batch = batch or self.recipe.train.batch
        scheme = schemes.get("lbvq")
        with seeded(0, "weights"):
            link = scheme.build(self.recipe, IMAGE_SHAPE, CLASSES)
            inputs = self.recipe.link.latent_dim + 1
            eve = SimulatedEve(self.recipe.privacy.eve_capacity, inputs, CLASSES, IMAGE_SHAPE)
        assert isinstance(link, DigitalLink)
        assert scheme.objective is not None
        self.link = link
        self.objective = scheme.objective(self.recipe, link, eve)

    def steps(self, images: Tensor) -> None:
        """Train for one pass over the images, with the toolkit's own loop."""
        # Fabric announces the precision on the terminal that progress bars own.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        precision = resolve_precision("auto", torch.device("cpu"))
        fabric = Fabric(accelerator="cpu", devices=1, precision=precision)  # type: ignore[arg-type]
        labels = torch.arange(len(images)) % CLASSES
        fit(self.objective, images, labels, Schedule(1, self.batch, 1e-3, 1.0, seed=0), fabric)


class Between:
    """Everything between the networks of a digital link, forward and backward, channel included.

    The link's own exchange, with tokens for images and what Bob looks up for his answer.

    Args:
        link: Whose codebook and constellation.
        batch: Messages per step.

    Example:
        >>> Between(Training(batch=2).link, batch=2)(generator(0))
    """

    def __init__(self, link: DigitalLink, batch: int) -> None:
        self.link = DigitalLink(
            nn.Identity(),
            nn.Identity(),
            link.channel,
            link.codebook,
            link.constellation,
            link.entropy_weight,
            link.commitment,
        )
        source = generator(0, "tokens")
        with torch.no_grad():
            shape = link.tokens(torch.zeros(batch, *IMAGE_SHAPE)).shape
        self.tokens = functional.layer_norm(normal(tuple(shape), generator=source), shape[2:])
        self.tokens.requires_grad_()
        self.gradient = normal(tuple(shape), generator=source)

    def __call__(self, source: Randomness) -> None:
        """Do it once."""
        sent = self.link.exchange(self.tokens, 12.0, source)
        total = (sent.answer.logits * self.gradient).sum() + sum(sent.losses.values())
        torch.autograd.grad(total, [self.tokens, self.link.codebook.words])


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time what lies between the networks, and whole steps; see :class:`Ratio`."""
    steps, repeats = (1, 4) if quick else (8, 16)
    training = Training(64 if quick else None)
    between, source = Between(training.link, training.batch), generator(0, "between")
    images = random_images(steps * training.batch)

    def run() -> None:
        for _ in range(repeats):
            between(source)

    return alternate(
        Work("between the networks of LBVQ, per step", run, repeats),
        Work("training step", lambda: training.steps(images), steps),
        5 if quick else 21,
        tick,
    )


RATIO = Ratio(
    title="Share of quantisation, modulation and demodulation in a training step of LBVQ",
    target=("<=", 0.10),
    measure=measure,
)
