"""White-box attacks on single inputs: the fast gradient method and projected gradient descent."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Attack, Loss, misanswer
from semveil.adversary.perturb.gradient import ImageLoss, descend
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.recipe import AttackConfig as Settings
from semveil.rng import normal


def expected(
    victim: Victim,
    scene: IncomingBatch,
    loss: Loss,
    psr_db: float,
    draws: int,
    source: torch.Generator,
) -> ImageLoss:
    """Return the mean loss over draws of what Mallory does not know: noise, her path, a key.

    Args:
        victim: The link.
        scene: The batch.
        loss: What is to be small.
        psr_db: Budget, dB.
        draws: Draws per step.
        source: Source of them; every step takes fresh ones.
    """

    def mean(delta: Tensor, step: int) -> Tensor:
        losses = [
            loss(victim.attacked(scene, delta, psr_db, source).logits, scene.labels)
            for _ in range(draws)
        ]
        return losses[0] if draws == 1 else torch.stack(losses).mean(0)

    return mean


@torch.no_grad()
def best_of(candidates: Sequence[Tensor], loss: ImageLoss) -> Tensor:
    """Return, image by image, the candidate of least loss, complex ``[B, T]``.

    Every candidate is judged by draws of its own, so that the choice has no favourite.
    """
    if len(candidates) == 1:
        return candidates[0]
    scores = torch.stack([loss(delta, 0) for delta in candidates])
    rows = torch.arange(scores.shape[1], device=scores.device)
    return torch.stack(list(candidates))[scores.argmin(0), rows]


class PGD(Attack):
    """Projected gradient descent per input, several starts, the best kept.

    The first start is without perturbation, whose first step is the fast gradient method; the
    others are random. Each budget begins with what the one below it found as one more candidate.

    Args:
        settings: Steps, starts, draws, the class that Bob is to answer.

    Example:
        >>> PGD(Settings(steps=3)).name
        'pgd'
    """

    name = "pgd"
    needs_gradient = True
    per_input = True

    def __init__(self, settings: Settings) -> None:
        self.loss = misanswer(settings)
        self.steps, self.restarts = settings.steps, settings.restarts
        self.draws = settings.mallory.draws

    def craft(
        self,
        victim: Victim,
        scene: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``; see :class:`Attack`."""
        signal = scene.arrival.signal
        found: list[Tensor] = []
        for psr_db in psrs_db:
            mean = expected(victim, scene, self.loss, psr_db, self.draws, source)
            candidates = list(found[-1:])
            for start in range(self.restarts):
                begin = None
                if start:
                    begin = normal(
                        tuple(signal.shape),
                        dtype=signal.dtype,
                        device=signal.device,
                        generator=source,
                    )
                candidates.append(descend(signal, mean, psr_db, self.steps, begin))
            found.append(best_of(candidates, mean))
        return torch.stack(found)


class FGM(PGD):
    """The fast gradient method: the whole budget along one gradient (arXiv 1902.08391).

    Example:
        >>> attack = FGM(Settings(steps=3))
        >>> attack.steps
        1
    """

    name = "fgm"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.model_copy(update={"steps": 1, "restarts": 1}))

    def craft(
        self,
        victim: Victim,
        scene: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``: one direction serves all budgets."""
        (delta,) = super().craft(victim, scene, psrs_db[:1], source)
        return delta.expand(len(psrs_db), *delta.shape)
