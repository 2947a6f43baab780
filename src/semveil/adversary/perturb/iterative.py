"""White-box attacks on single inputs: the fast gradient method and projected gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Attack, Loss, loss_of, misanswer
from semveil.adversary.perturb.gradient import ImageLoss, descend
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.rng import normal
from semveil.section import Section
from semveil.style import BLUE, SKY, Style


def expected(
    victim: Victim,
    incoming: IncomingBatch,
    loss: Loss,
    psr_db: Tensor | float,
    draws: int,
    source: torch.Generator,
) -> ImageLoss:
    """Return the mean loss over draws of what Mallory does not know: noise, her channel, a key.

    Args:
        victim: The link.
        incoming: The batch.
        loss: What is to be small.
        psr_db: Budget, dB, one number or one per image.
        draws: Draws per step.
        source: Source of them; every step takes fresh ones.
    """

    def mean(delta: Tensor, step: int) -> Tensor:
        losses = [
            loss_of(victim.attacked(incoming, delta, psr_db, source), incoming, loss)
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


@ATTACKS.register
class PGD(Attack):
    """Projected gradient descent per input, several starts, the best kept.

    The first start is without perturbation, whose first step is the fast gradient method; the
    others are random. Each budget begins with what the one below it found as one more candidate.

    Example:
        >>> PGD(steps=3)
        PGD(steps=3, restarts=2)
    """

    name = "pgd"
    traits = frozenset({"search", "reference"})
    description = "projected gradient descent per input, several starts"
    source = "Madry et al., arXiv 1706.06083"
    needs_gradient = True
    style = Style(BLUE, "^", 30)

    class Config(Section):
        """Settings of PGD.

        Attributes:
            steps: Gradient steps.
            restarts: Starts, of which the best is kept.
        """

        steps: Annotated[int, Field(gt=0, le=10000)] = 20
        restarts: Annotated[int, Field(gt=0, le=100)] = 2

    config: Config

    def search(
        self, signal: Tensor, loss: ImageLoss, psr_db: float, start: Tensor | None
    ) -> Tensor:
        """Return what one start ends with, complex ``[B, T]``."""
        return descend(signal, loss, psr_db, self.config.steps, start)

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``; see :class:`Attack`."""
        signal = incoming.arrival.signal
        found: list[Tensor] = []
        for psr_db in psrs_db:
            mean = expected(victim, incoming, misanswer(self.goal), psr_db, self.goal.draws, source)
            candidates = list(found[-1:])
            for start in range(self.config.restarts):
                begin = None
                if start:
                    begin = normal(
                        tuple(signal.shape),
                        dtype=signal.dtype,
                        device=signal.device,
                        generator=source,
                    )
                candidates.append(self.search(signal, mean, psr_db, begin))
            found.append(best_of(candidates, mean))
        return torch.stack(found)


@ATTACKS.register
class FGM(Attack):
    """The fast gradient method: the whole budget along one gradient.

    Example:
        >>> FGM().needs_gradient
        True
    """

    name = "fgm"
    description = "one gradient step per input"
    source = "Sadeghi and Larsson, arXiv 1902.08391"
    needs_gradient = True
    style = Style(SKY, "v", 20)

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``: one direction serves all budgets."""
        loss = misanswer(self.goal)
        mean = expected(victim, incoming, loss, psrs_db[0], self.goal.draws, source)
        delta = descend(incoming.arrival.signal, mean, psrs_db[0])
        return delta.expand(len(psrs_db), *delta.shape)
