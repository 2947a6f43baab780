"""The least power that changes Bob's answer, image by image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.apgd import auto_descend
from semveil.adversary.perturb.attack import Attack, Goal, Loss, failures
from semveil.adversary.perturb.iterative import expected
from semveil.adversary.perturb.psr import to_psr
from semveil.adversary.perturb.victim import IncomingBatch, Victim, rows_of
from semveil.section import Section
from semveil.style import GREEN, Style

LOWEST_DB, HIGHEST_DB = -60.0, 20.0


def fooled(
    victim: Victim,
    incoming: IncomingBatch,
    delta: Tensor | None,
    psr_db: Tensor,
    votes: int,
    goal: Goal,
    source: torch.Generator,
) -> Tensor:
    """Return whether Bob answers as Mallory wants in most receptions, bool ``[B]``."""
    failed = torch.zeros(len(incoming.labels), device=incoming.labels.device)
    for _ in range(votes):
        answer = (
            victim.answer(incoming, None, source)
            if delta is None
            else victim.attacked(incoming, delta, psr_db, source)
        )
        failed += failures(goal)(answer.scores, incoming.labels)
    return failed < votes / 2


def boundary_slopes(
    victim: Victim, incoming: IncomingBatch, draws: int, source: torch.Generator
) -> Tensor:
    """Return the norms of the gradients of score differences to the true class, float ``[B, C]``.

    At what arrives without a perturbation; a difference of scores over its norm is the distance of
    a class's boundary, if the receiver is linear (DeepFool).
    """
    signal, rows = incoming.arrival.signal, torch.arange(len(incoming.labels))
    norms = torch.zeros(len(rows), victim.classes, device=signal.device)
    with torch.enable_grad():
        probe = torch.zeros_like(signal, requires_grad=True)
        scores = torch.stack(
            [victim.answer(incoming, probe, source).scores for _ in range(draws)]
        ).mean(0)
        apart = scores - scores[rows, incoming.labels].unsqueeze(1)
        for label in range(victim.classes):
            (slope,) = torch.autograd.grad(apart[:, label].sum(), probe, retain_graph=True)
            norms[:, label] = slope.detach().abs().square().sum(1).sqrt()
    return norms.clamp_min(1e-12)


class SmallestBudget(Attack):
    """An attack that looks for the least PSR of every image instead of filling a given one.

    It is recorded as ``minimum_psr_db``, its quantiles over the images, and as a curve: Bob's
    accuracy at each budget, if every image were attacked with no more than that.
    """

    needs_labels = True

    @abstractmethod
    def smallest(
        self, victim: Victim, incoming: IncomingBatch, source: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the least PSRs found and the perturbations.

        Args:
            victim: The link.
            incoming: The batch.
            source: Source of the attack's own randomness.

        Returns:
            dB ``[B]``: minus infinity where Bob is wrong without an attack, infinity where no PSR
            was found; and directions, complex ``[B, T]``.
        """

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the same direction at every budget, complex ``[P, B, T]``."""
        _, delta = self.smallest(victim, incoming, source)
        return delta.expand(len(psrs_db), *delta.shape)


@ATTACKS.register
class MinimumPower(SmallestBudget):
    """The smallest perturbation of each image: grow, ascend from the last, bisect.

    The PSR grows by 3 dB from −60 dB until most receptions are misunderstood; at each level
    Auto-PGD goes on from what it found at the last one, towards the class whose boundary is the
    nearest by the gradients of the scores. Then the level is bisected.

    Example:
        >>> MinimumPower(steps=5).needs_gradient
        True
    """

    name = "minimum-power"
    traits = frozenset({"search"})
    description = "the smallest PSR of each image that changes Bob's answer"
    source = "after Moosavi-Dezfooli et al., arXiv 1511.04599"
    needs_gradient = True
    style = Style(GREEN, "v", 36)

    class Config(Section):
        """Settings of the search for the least power.

        Attributes:
            steps: Gradient steps at each level.
            stride_db: Growth of the PSR from level to level, dB.
            precision_db: Width of the interval at which the bisection ends, dB.
            votes: Receptions, of which most are misunderstood.
        """

        steps: Annotated[int, Field(gt=0, le=10000)] = 10
        stride_db: Annotated[float, Field(gt=0, le=20)] = 3.0
        precision_db: Annotated[float, Field(gt=0, le=20)] = 0.25
        votes: Annotated[int, Field(gt=0, le=1001)] = 5

    config: Config

    def smallest(
        self, victim: Victim, incoming: IncomingBatch, source: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the least PSRs found and the perturbations; see :class:`SmallestBudget`."""
        config, signal = self.config, incoming.arrival.signal
        count, device = len(signal), signal.device
        least = torch.full((count,), torch.inf, device=device)
        best = torch.zeros_like(signal)

        @torch.no_grad()
        def is_fooled(rows: Tensor, delta: Tensor | None, psr: Tensor) -> Tensor:
            part = rows_of(incoming, rows)
            return fooled(victim, part, delta, psr, config.votes, self.goal, source)

        norms = boundary_slopes(victim, incoming, self.goal.draws, source)

        def ascend(rows: Tensor, psr: Tensor, start: Tensor | None) -> Tensor:
            part, draws = rows_of(incoming, rows), self.goal.draws
            nearest = self._nearest(norms[rows])
            loss = expected(victim, part, nearest, psr, draws, source)
            return auto_descend(part.arrival.signal, loss, psr, config.steps, start)

        rows = torch.arange(count, device=device)
        wrong = is_fooled(rows, None, least)
        least[wrong] = -torch.inf
        best[wrong] = signal[wrong]
        rows, last = rows[~wrong], None
        level = LOWEST_DB
        while len(rows) and level <= HIGHEST_DB:
            psr = torch.full((len(rows),), level, device=device)
            last = ascend(rows, psr, last)
            hit = is_fooled(rows, last, psr)
            best[rows] = last
            least[rows[hit]] = level
            rows, last = rows[~hit], last[~hit]
            level += config.stride_db
        rows = least.isfinite().nonzero().squeeze(1)
        high, low = least[rows].clone(), least[rows] - config.stride_db
        width = config.stride_db
        while len(rows) and width > config.precision_db:
            middle, width = (high + low) / 2, width / 2
            tried = ascend(rows, middle, best[rows])
            hit = is_fooled(rows, tried, middle)
            best[rows] = torch.where(hit.unsqueeze(1), tried, best[rows])
            high, low = torch.where(hit, middle, high), torch.where(hit, low, middle)
        least[rows] = high
        return least, to_psr(best, signal, 0.0)

    def _nearest(self, norms: Tensor) -> Loss:
        """Return the distance of the nearest boundary as a loss, by the slopes of the scores."""
        wanted = self.goal.target_class

        def loss(logits: Tensor, labels: Tensor) -> Tensor:
            scores = logits.float()
            own = scores.gather(1, labels.unsqueeze(1))
            distances = (own - scores) / norms
            if wanted is not None:
                rivals = scores.scatter(1, torch.full_like(labels, wanted).unsqueeze(1), -torch.inf)
                return (rivals.max(1).values - scores[:, wanted]) / norms[:, wanted]
            return distances.scatter(1, labels.unsqueeze(1), torch.inf).min(1).values

        return loss
