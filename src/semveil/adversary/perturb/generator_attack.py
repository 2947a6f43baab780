"""An attack by a generator: trained on Mallory's own images, after which it sees none."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Progress
from semveil.adversary.perturb.generator_loss import PerturbationGenerator
from semveil.adversary.perturb.generator_training import GeneratorTraining, train_generator
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.errors import SemveilError
from semveil.recipe import AttackConfig as Settings
from semveil.rng import seeded


class GeneratorAttack:
    """An attack that sends what a generator draws, whatever Alice sends.

    It is trained over fresh fading, noise and path in every step, at one budget of the list per
    batch; see :func:`semveil.adversary.perturb.generator_training.train_generator`.

    Args:
        settings: Epochs, learning rate, weights.
    """

    name: str
    kind: type[PerturbationGenerator]
    needs_gradient = True
    per_input = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.game: PerturbationGenerator | None = None

    def check(self, victim: Victim, labels: Tensor) -> None:
        """Refuse settings that do not fit Bob's task or Mallory's images.

        Raises:
            SemveilError: If a class is not there.
        """
        wrong = self.settings.wrong
        if wrong is not None and wrong >= victim.classes:
            raise SemveilError(f"attack.wrong: Bob has {victim.classes} answers, none is {wrong}")

    def fit(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
        progress: Progress,
    ) -> None:
        """Train the generator; see :class:`Attack`.

        One that has been trained against another link already begins from there as well, so that
        knowing an earlier link never makes her weaker.

        Raises:
            SemveilError: If there are too few images, or a class is not there.
        """
        if len(images) < 2:
            raise SemveilError(f"{self.name}: {len(images)} images are too few to train with")
        self.check(victim, labels)
        course = GeneratorTraining(self.name, victim, images, labels, psrs_db, seed)

        def fresh(start: int) -> PerturbationGenerator:
            with seeded(seed, self.name, "weights", start):
                game = self.kind(self.settings, course.length, victim.classes)
            return game.to(images.device)

        known = None
        if self.game is not None:
            known = deepcopy(self.game).train().requires_grad_(True)
        self.game = train_generator(course, fresh, progress, known).eval().requires_grad_(False)

    def targets(self, batch: int, source: torch.Generator) -> Tensor | None:
        """Return the classes that one batch's perturbations are aimed at, int ``[B]`` or None."""
        return None

    @torch.no_grad()
    def craft(
        self,
        victim: Victim,
        scene: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``: the same seeds at every budget.

        Raises:
            ValueError: If the attack has not been trained.
        """
        if self.game is None:
            raise ValueError(f"{self.name} is trained before it is used")
        batch = len(scene.arrival.signal)
        targets = self.targets(batch, source)
        seeds = self.game.seeds(batch, source, scene.arrival.signal.device)
        return torch.stack([self.game.shape(seeds, psr_db, targets) for psr_db in psrs_db])
