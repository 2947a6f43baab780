"""An attack by a generator: trained on Mallory's own images, independent of what Alice sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Attack, Progress
from semveil.adversary.perturb.generator_loss import GeneratorConfig, PerturbationGenerator
from semveil.adversary.perturb.generator_training import (
    STARTS,
    GeneratorTraining,
    train_generator,
)
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.errors import SemveilError
from semveil.rng import seeded


class GeneratorAttack(Attack):
    """An attack that sends what a generator draws, whatever Alice sends.

    It is trained over fresh fading, noise and attacker's channel in every step, at one budget of
    the list per batch; see :func:`semveil.adversary.perturb.generator_training.train_generator`.

    Attributes:
        kind: The generator and what it is trained with.
        models: The trained generators by budget, dB; none before :meth:`fit`.
    """

    needs_gradient = True
    per_input = False
    kind: ClassVar[type[PerturbationGenerator]]
    Config = GeneratorConfig
    models: Mapping[float, PerturbationGenerator] = MappingProxyType({})

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
        """Train generators and choose one for each budget; see :class:`Attack`.

        Those that have been trained against another link are among the candidates, so that knowing
        an earlier link makes the attack weaker at no budget, on the images that it is chosen by.

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

        known = list({id(model): model for model in self.models.values()}.values())
        self.models = train_generator(training, fresh, progress, known)

    def least_memory(self, length: int, classes: int) -> int:
        """Return the bytes of all starts' weights and of their moments, for ``length`` samples."""
        with torch.device("meta"):
            model = self.kind(self.config, self.goal, length, classes)
        weights = sum(each.numel() * each.element_size() for each in model.parameters())
        return STARTS * 3 * weights

    def model_at(self, psr_db: float) -> PerturbationGenerator:
        """Return the generator of a budget, or of the nearest that it was trained for.

        Raises:
            ValueError: If the attack has not been trained.
        """
        if not self.models:
            raise ValueError(f"{self.name} is trained before it is used")
        return self.models[min(self.models, key=lambda known: abs(known - psr_db))]

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
        batch = len(incoming.arrival.signal)
        models = [self.model_at(psr_db) for psr_db in psrs_db]
        classes = self.source_classes(batch, source)
        seeds = models[0].seeds(batch, source, incoming.arrival.signal.device)
        shaped = zip(models, psrs_db, strict=True)
        return torch.stack([model.shape(seeds, psr_db, classes) for model, psr_db in shaped])
