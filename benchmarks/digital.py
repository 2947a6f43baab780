"""Quantisation, modulation and demodulation, over a training step of LBVQ."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.link import IMAGE_SHAPE, random_images, train
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil import recipe as recipes
from semveil.links.digital import DigitalLink
from semveil.nets.eavesdropper import SimulatedEve
from semveil.rng import Randomness, generator, normal, seeded
from semveil.schemes import SCHEMES
from semveil.training.minmax import MinMaxConfig

CLASSES = 10


class Training:
    """LBVQ as its recipe for CIFAR-10 trains it: 128 reals, 16 codewords, batches of 256."""

    def __init__(self, batch: int | None = None) -> None:
        self.recipe = recipes.load("lbvq-cifar10")
        self.batch = batch or self.recipe.train.batch
        scheme = SCHEMES.get("lbvq")(self.recipe)
        with seeded(0, "weights"):
            link = scheme.build(IMAGE_SHAPE, CLASSES)
            inputs = self.recipe.link.latent_dim + 1
            capacity = self.recipe.of(MinMaxConfig).eve_capacity
            eve = SimulatedEve(capacity, inputs, CLASSES, IMAGE_SHAPE)
        assert isinstance(link, DigitalLink)
        self.link = link
        self.objective = scheme.objective(link, eve)

    def steps(self, images: Tensor) -> None:
        """Train for one pass over the images, with the toolkit's own loop."""
        labels = torch.arange(len(images)) % CLASSES
        train(self.objective, images, self.batch, labels)


class Between:
    """Everything between the networks of a digital link, forward and backward, channel included.

    The link's own exchange, with tokens in place of images and the codewords as Bob's answer.
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
        total = (sent.answer.scores * self.gradient).sum() + sum(sent.losses.values())
        torch.autograd.grad(total, [self.tokens, self.link.codebook.words])


def measure(quick: bool, on_round: OnRound) -> Rounds:
    """Time what lies between the networks, and whole steps."""
    steps = 1 if quick else 8
    training = Training(64 if quick else None)
    between, source = Between(training.link, training.batch), generator(0, "between")
    images = random_images(steps * training.batch)
    return alternate(
        Work(
            "between the networks of LBVQ, per step",
            lambda: between(source),
            repeats=4 if quick else 16,
        ),
        Work("training step", lambda: training.steps(images), steps),
        5 if quick else 21,
        on_round,
    )


RATIOS = {
    "vq_share": Ratio(
        title="Share of quantisation, modulation and demodulation in a training step of LBVQ",
        target=("<=", 0.10),
        measure=measure,
    ),
}
