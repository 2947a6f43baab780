"""An attack by a generator: trained on Mallory's own images, independent of what Alice sends."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import ClassVar

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Attack, Progress
from semveil.adversary.perturb.generator_loss import GeneratorConfig, PerturbationGenerator
from semveil.adversary.perturb.generator_training import GeneratorTraining, train_generator
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.errors import SemveilError
from semveil.rng import seeded


class GeneratorAttack(Attack):
    """An attack that sends what a generator draws, whatever Alice sends.

    It is trained over fresh fading, noise and attacker's channel in every step, at one budget of
    the list per batch; see :func:`semveil.adversary.perturb.generator_training.train_generator`.

    Attributes:
        kind: The generator and what it is trained with.
        model: The trained generator; None before :meth:`fit`.
    """

    needs_gradient = True
    per_input = False
    kind: ClassVar[type[PerturbationGenerator]]
    Config = GeneratorConfig
    model: PerturbationGenerator | None = None

    def check(self, victim: Victim, labels: Tensor) -> None:
        """Refuse a goal that does not fit Bob's task or Mallory's images.

        Raises:
            SemveilError: If a class is not there.
        """
        wanted = self.goal.target_class
        if wanted is not None and wanted >= victim.classes:
            raise SemveilError(
                f"attack.target_class: Bob has {victim.classes} answers, none is {wanted}"
            )

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

        A generator that has been trained against another link is one of the starts, so that
        knowing an earlier link never makes the attack weaker.

        Raises:
            SemveilError: If there are too few images, or a class is not there.
        """
        if len(images) < 2:
            raise SemveilError(f"{self.name}: {len(images)} images are too few to train with")
        self.check(victim, labels)
        training = GeneratorTraining(self.name, victim, images, labels, psrs_db, seed)

        def fresh(start: int) -> PerturbationGenerator:
            with seeded(seed, self.name, "weights", start):
                model = self.kind(self.config, self.goal, training.length, victim.classes)
            return model.to(images.device)

        known = None
        if self.model is not None:
            known = deepcopy(self.model).train().requires_grad_(True)
        self.model = train_generator(training, fresh, progress, known)
        self.model.eval().requires_grad_(False)

    def source_classes(self, batch: int, source: torch.Generator) -> Tensor | None:
        """Return the classes that one batch's perturbations attack, int ``[B]`` or None."""
        return None

    @torch.no_grad()
    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``: the same seeds at every budget.

        Raises:
            ValueError: If the attack has not been trained.
        """
        if self.model is None:
            raise ValueError(f"{self.name} is trained before it is used")
        batch = len(incoming.arrival.signal)
        classes = self.source_classes(batch, source)
        seeds = self.model.seeds(batch, source, incoming.arrival.signal.device)
        return torch.stack([self.model.shape(seeds, psr_db, classes) for psr_db in psrs_db])
