"""A universal perturbation: one for all images, found by projected gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Loss, Progress, misclassify
from semveil.adversary.perturb.attack_data import AttackData
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.iterative import expected
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.errors import SemveilError
from semveil.recipe import AttackConfig as Settings
from semveil.rng import generator

_JUDGED = 1000


def withstood(settings: Settings) -> Loss:
    """Return what is counted to judge a perturbation: 1 where Bob does not answer as wished.

    Example:
        >>> withstood(Settings())(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
        tensor([1.])
    """
    if settings.wrong is None:
        return lambda logits, labels: (logits.argmax(1) == labels).float()
    wanted = settings.wrong
    return lambda logits, labels: (logits.argmax(1) != wanted).float()


class UAP:
    """One perturbation per budget, the same whatever Alice sends.

    The aim is that of Moosavi-Dezfooli et al. (arXiv 1610.08401), the way projected gradient
    descent (our reading): on images of Mallory's own, over draws of fading, noise and her path,
    a fresh batch per step. Each budget begins where the one below it ended. Of all passes the one
    that does best on a tenth of her images, which no step saw, is kept.

    Args:
        settings: Passes (``epochs``), steps per pass, images per step (``batch``), draws, the
            class that Bob is to answer.

    Example:
        >>> UAP(Settings()).per_input
        False
    """

    name = "uap"
    needs_gradient = True
    per_input = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.loss, self.verdict = misclassify(settings), withstood(settings)
        self.found: dict[float, Tensor] = {}

    def fit(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
        progress: Progress,
    ) -> None:
        """Find one perturbation per budget; see :class:`Attack`.

        Raises:
            SemveilError: If there are fewer than two images.
        """
        if len(images) < 2:
            raise SemveilError(f"uap: {len(images)} images are too few to learn from and judge by")
        rehearsal = AttackData(victim, images, labels, seed)
        shuffled = torch.randperm(len(images), generator=generator(seed, "uap", "judges"))
        held, own = shuffled.to(images.device).tensor_split([max(1, len(images) // 10)])
        # Few images make up for it by many fadings.
        heard = held.repeat(-(-_JUDGED // len(held)))
        judge = rehearsal.scene(heard, generator(seed, "uap", "judge", device=images.device))
        best: Tensor | None = None
        for psr_db in sorted(psrs_db):
            best = self._search(victim, rehearsal, own, judge, psr_db, best, seed, progress)
            self.found[psr_db] = best

    def _search(
        self,
        victim: Victim,
        rehearsal: AttackData,
        own: Tensor,
        judge: IncomingBatch,
        psr_db: float,
        begin: Tensor | None,
        seed: int,
        progress: Progress,
    ) -> Tensor:
        """Return the best of what all passes end with and what they begin with, ``[1, T]``."""
        scope, device, settings = ("uap", f"{psr_db:g} dB"), own.device, self.settings
        source = generator(seed, *scope, device=device)

        def mean(loss: Loss, scene: IncomingBatch, delta: Tensor, draws: torch.Generator) -> Tensor:
            each = expected(victim, scene, loss, psr_db, settings.mallory.draws, draws)
            return each(delta.expand_as(scene.arrival.signal), 0).mean().unsqueeze(0)

        def of_batch(delta: Tensor, step: int) -> Tensor:
            chosen = torch.randperm(len(own), generator=source, device=device)[: settings.batch]
            return mean(self.loss, rehearsal.scene(own[chosen], source), delta, source)

        @torch.no_grad()
        def score(delta: Tensor) -> float:
            # The same draws for all, so that none is chosen for its luck.
            draws = generator(seed, *scope, "judge", device=device)
            return float(mean(self.verdict, judge, delta, draws))

        # One perturbation is a batch of one; as it arrives, each image's signal sets its size.
        frame = torch.ones_like(judge.arrival.signal[:1])
        ends = [] if begin is None else [begin]
        for epoch in range(settings.epochs):
            last = ends[-1] if ends else None
            ends.append(descend(frame, of_batch, psr_db, settings.steps, last))
            progress(" ".join(scope), epoch + 1, settings.epochs)
        return min(ends, key=score)

    def craft(
        self,
        victim: Victim,
        scene: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the same perturbation for every image, complex ``[P, B, T]``.

        Raises:
            ValueError: If a budget was not asked for in :meth:`fit`.
        """
        missing = [psr_db for psr_db in psrs_db if psr_db not in self.found]
        if missing:
            raise ValueError(f"uap was not fitted at {missing} dB")
        found = torch.stack([self.found[psr_db] for psr_db in psrs_db])
        return found.expand(-1, len(scene.labels), -1)
