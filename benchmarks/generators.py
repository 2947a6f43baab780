"""Step of a perturbation generator, over a step of the link that it is trained against."""

from __future__ import annotations

from copy import deepcopy
from functools import partial

import torch

from benchmarks.link import IMAGE_SHAPE, random_images
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil import recipe as recipes
from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.adversary.perturb.generator_training import GeneratorTraining, Learner
from semveil.adversary.perturb.pgm import PGM
from semveil.adversary.perturb.semadv import SemAdv
from semveil.adversary.perturb.victim import Victim
from semveil.device import channels_last, native_bfloat16, one_thread
from semveil.link import as_float
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES
from semveil.training.joint import joint_losses
from semveil.training.objective import Batch

CLASSES = 10


class Steps:
    """MobileSC at CIFAR-10's size in training, and a generator in training against it."""

    def __init__(self, attack: type[GeneratorAttack], batch: int) -> None:
        self.recipe = recipes.load("mobilesc-cifar10", ["link.width=64"])
        scheme = SCHEMES.get("mobilesc")(self.recipe)
        with seeded(0, "weights"):
            self.trained = scheme.build(IMAGE_SHAPE, CLASSES)
        channels_last(self.trained)
        bob = deepcopy(self.trained).eval().requires_grad_(False)
        # A tenth is held out.
        images = random_images(2 * batch)
        labels = torch.arange(len(images)) % CLASSES
        self.batch = Batch(as_float(images[:batch]), labels[:batch])
        victim = Victim(
            lambda images, source, _: bob.transmit(images, source),
            lambda reception, _: bob.receive(reception),
            bob.channel,
            self.recipe.bob.snr_db,
            CLASSES,
        )
        psrs_db = self.recipe.attack.psr_db
        training = GeneratorTraining("bench", victim, images, labels, psrs_db, seed=0)
        with seeded(0, "generator"):
            model = attack.kind(attack.Config(), Goal(batch=batch), training.length, CLASSES)
        self.learner = Learner(training, model)

    def attack(self) -> None:
        """Train the generator, and its discriminator, for one step."""
        self.learner.step(0)

    def link(self) -> None:
        """Send a batch, forward and backward, as training of the link does."""
        self.trained.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16(torch.device("cpu"))):
            losses = joint_losses(self.trained, self.recipe, self.batch, generator(0, "step"))
        losses["total"].backward()


@one_thread()
def measure(attack: type[GeneratorAttack], quick: bool, on_round: OnRound) -> Rounds:
    """Time a generator's step over a forward and backward pass of the link, on one thread."""
    steps = Steps(attack, 8 if quick else 64)
    return alternate(
        Work("step of the generator", steps.attack),
        Work("forward and backward pass of MobileSC", steps.link),
        3 if quick else 21,
        on_round,
    )


RATIOS = {
    "pgm_step": Ratio(
        title="Step of PGM's generator, over a forward and backward pass of MobileSC",
        target=("<=", 1.3),
        measure=partial(measure, PGM),
    ),
    "semadv_step": Ratio(
        title="Step of SemAdv's generator, over a forward and backward pass of MobileSC",
        target=("<=", 1.3),
        measure=partial(measure, SemAdv),
    ),
}
