"""A step of a perturbation generator, and a step of the link that it is trained against."""

from __future__ import annotations

from copy import deepcopy

import torch

from semveil import recipe as recipes
from semveil.adversary.perturb.generator_loss import PerturbationGenerator
from semveil.adversary.perturb.generator_training import GeneratorTraining, Learner
from semveil.adversary.perturb.victim import Victim
from semveil.bench.base import Rounds, Tick, Work, alternate
from semveil.bench.link import IMAGE_SHAPE, random_images
from semveil.device import channels_last, native_bfloat16, one_thread
from semveil.link import as_float
from semveil.rng import generator, seeded
from semveil.schemes import base as schemes
from semveil.train.joint import joint_losses
from semveil.train.objective import Batch

CLASSES = 10


class Steps:
    """MobileSC at CIFAR-10's size in training, and a generator in training against it.

    Args:
        kind: The generator's game.
        batch: Images per step.

    Example:
        >>> from semveil.adversary.perturb.pgm import PgmGenerator
        >>> steps = Steps(PgmGenerator, batch=2)
        >>> steps.attack(), steps.link()
        (None, None)
    """

    def __init__(self, kind: type[PerturbationGenerator], batch: int) -> None:
        overrides = ["link.width=64", f"attack.batch={batch}"]
        self.recipe = recipes.load("mobilesc-cifar10", overrides)
        scheme = schemes.get("mobilesc")
        with seeded(0, "weights"):
            self.trained = scheme.build(self.recipe, IMAGE_SHAPE, CLASSES)
        channels_last(self.trained)
        bob = deepcopy(self.trained).eval().requires_grad_(False)
        # A tenth is held out.
        images = random_images(2 * batch)
        labels = torch.arange(len(images)) % CLASSES
        self.batch = Batch(as_float(images[:batch]), labels[:batch])
        snr_db, settings = self.recipe.bob.snr_db, self.recipe.attack
        victim = Victim(
            lambda images, source, _: bob.transmit(images, source),
            lambda reception, _: bob.receive(reception),
            bob.channel,
            snr_db,
            CLASSES,
        )
        course = GeneratorTraining("bench", victim, images, labels, settings.psr_db, seed=0)
        with seeded(0, "generator"):
            self.learner = Learner(course, kind(settings, course.length, CLASSES))

    def attack(self) -> None:
        """Let the generator, and its discriminator, take one step."""
        self.learner.step(0)

    def link(self) -> None:
        """Send a batch, forward and backward, as training of the link does."""
        self.trained.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16(torch.device("cpu"))):
            losses = joint_losses(self.trained, self.recipe, self.batch, generator(0, "step"))
        losses["total"].backward()


@one_thread()
def measure_step(kind: type[PerturbationGenerator], quick: bool, tick: Tick) -> Rounds:
    """Time a generator's step over a forward and backward pass of the link.

    Args:
        kind: The generator's game.
        quick: Fewer and shorter rounds.
        tick: Told after every round.

    Returns:
        Seconds per step.

    Example:
        >>> from semveil.adversary.perturb.pgm import PgmGenerator
        >>> measure_step(PgmGenerator, True, lambda done, total: None).median > 0
        True
    """
    steps = Steps(kind, 8 if quick else 64)
    return alternate(
        Work("step of the generator", steps.attack),
        Work("forward and backward pass of MobileSC", steps.link),
        3 if quick else 21,
        tick,
    )
