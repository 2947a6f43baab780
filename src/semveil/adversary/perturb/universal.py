"""A universal perturbation: one for all images, found by projected gradient descent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import (
    Attack,
    Loss,
    Progress,
    failures,
    misclassify,
)
from semveil.adversary.perturb.attack_data import AttackData
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.iterative import expected
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.errors import SemveilError
from semveil.rng import generator
from semveil.section import Section
from semveil.style import GREEN, Style

_HELD_OUT = 1000


class UniversalConfig(Section):
    """Settings of every universal attack.

    Attributes:
        steps: Gradient steps per pass.
        epochs: Passes.
    """

    steps: Annotated[int, Field(gt=0, le=10000)] = 20
    epochs: Annotated[int, Field(gt=0)] = 10


class Universal(Attack):
    """One vector per budget, the same whatever Alice sends, from which perturbations are made.

    It is found by projected gradient descent on images of Mallory's own, over draws of fading,
    noise and her channel, a fresh batch per step. Each budget begins where the one below it ended.
    Of all passes the one that does best on a tenth of her images, which no step saw, is kept.

    Attributes:
        found: The vector of each budget in dB, complex ``[1, P]``; empty before :meth:`fit`.
    """

    needs_gradient = True

    Config = UniversalConfig
    config: Any
    found: Mapping[float, Tensor] = MappingProxyType({})

    @abstractmethod
    def parameters(self, victim: Victim, incoming: IncomingBatch) -> int:
        """Return the length of a vector, ``P``."""

    @abstractmethod
    def perturbations(self, victim: Victim, incoming: IncomingBatch, found: Tensor) -> Tensor:
        """Return the perturbations that a vector makes, complex ``[B, T]``.

        Args:
            victim: The link.
            incoming: The batch.
            found: The vector, complex ``[1, P]``.
        """

    def fit(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
        progress: Progress,
    ) -> None:
        """Find one vector per budget; see :class:`Attack`.

        Those that were found against another link are candidates too, as they are and searched on.

        Raises:
            SemveilError: If there are fewer than two images.
        """
        if len(images) < 2:
            raise SemveilError(
                f"{self.name}: {len(images)} images are too few to train and validate with"
            )
        data = AttackData(victim, images, labels, seed)
        shuffled = torch.randperm(len(images), generator=generator(seed, self.name, "judges"))
        held, own = shuffled.to(images.device).tensor_split([max(1, len(images) // 10)])
        # A few images are received over many draws of the fading.
        repeated = held.repeat(-(-_HELD_OUT // len(held)))
        unseen = data.send(repeated, generator(seed, self.name, "judge", device=images.device))
        best: Tensor | None = None
        earlier = list(self.found.values())
        self.found = found = dict[float, Tensor]()
        for psr_db in sorted(psrs_db):
            best = self._search(victim, data, own, unseen, psr_db, best, earlier, seed, progress)
            found[psr_db] = best

    def _search(
        self,
        victim: Victim,
        data: AttackData,
        own: Tensor,
        unseen: IncomingBatch,
        psr_db: float,
        begin: Tensor | None,
        earlier: Sequence[Tensor],
        seed: int,
        progress: Progress,
    ) -> Tensor:
        """Return the best of what passes end with, what they begin with and earlier ones."""
        scope, device, config = (self.name, f"{psr_db:g} dB"), own.device, self.config
        source = generator(seed, *scope, device=device)

        def mean(loss: Loss, batch: IncomingBatch, delta: Tensor, draws: torch.Generator) -> Tensor:
            each = expected(victim, batch, loss, psr_db, self.goal.draws, draws)
            return each(self.perturbations(victim, batch, delta), 0).mean().unsqueeze(0)

        def of_batch(delta: Tensor, step: int) -> Tensor:
            chosen = torch.randperm(len(own), generator=source, device=device)[: self.goal.batch]
            batch = data.send(own[chosen], source)
            return mean(misclassify(self.goal), batch, delta, source)

        @torch.no_grad()
        def score(delta: Tensor) -> tuple[float, ...]:
            # The same draws for all, so that none is chosen by chance; where a budget changes few
            # answers, the loss decides.
            losses = failures(self.goal), misclassify(self.goal)
            judges = [generator(seed, *scope, "judge", device=device) for _ in losses]
            return tuple(
                float(mean(loss, unseen, delta, draws))
                for loss, draws in zip(losses, judges, strict=True)
            )

        # One vector is a batch of one; as it arrives, each image's signal sets its size.
        signal = unseen.arrival.signal
        frame = signal.new_ones(1, self.parameters(victim, unseen))
        ends = [] if begin is None else [begin]
        for epoch in range(config.epochs):
            last = ends[-1] if ends else None
            ends.append(descend(frame, of_batch, psr_db, config.steps, last))
            progress(" ".join(scope), epoch + 1, config.epochs)
        if earlier:
            warm = min(earlier, key=score)
            ends += [*earlier, descend(frame, of_batch, psr_db, config.steps, warm)]
        return min(ends, key=score)

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations of every budget, complex ``[P, B, T]``.

        Raises:
            ValueError: If a budget was not asked for in :meth:`fit`.
        """
        missing = [psr_db for psr_db in psrs_db if psr_db not in self.found]
        if missing:
            raise ValueError(f"{self.name} was not fitted at {missing} dB")
        return torch.stack(
            [self.perturbations(victim, incoming, self.found[psr_db]) for psr_db in psrs_db]
        )


@ATTACKS.register
class UAP(Universal):
    """One perturbation per budget, the same whatever Alice sends.

    The aim is the published one, the method projected gradient descent (our reading).

    Example:
        >>> UAP(epochs=2).per_input
        False
    """

    name = "uap"
    description = "one perturbation for all inputs, by projected gradient descent"
    source = "after Moosavi-Dezfooli et al., arXiv 1610.08401"
    per_input = False
    style = Style(GREEN, "D", 40)

    class Config(UniversalConfig):
        """Settings of the universal perturbation.

        Attributes:
            steps: Gradient steps per pass.
            epochs: Passes.
        """

    def parameters(self, victim: Victim, incoming: IncomingBatch) -> int:
        """Return the samples of a frame."""
        return incoming.arrival.signal.shape[1]

    def perturbations(self, victim: Victim, incoming: IncomingBatch, found: Tensor) -> Tensor:
        """Return the same perturbation for every image."""
        return found.expand_as(incoming.arrival.signal)
