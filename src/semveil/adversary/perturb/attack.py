"""What every attack on Bob is: something to prepare, and something to send at each budget."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from semveil.adversary.configured import Configured
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.victim import IncomingBatch, Sent, Victim
from semveil.channel import Channel
from semveil.link import Answer
from semveil.recipe import AttackConfig

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done, and the steps in all."""


@dataclass(frozen=True)
class Goal:
    """What all attacks of one evaluation have in common.

    Attributes:
        source_class: Class whose images Bob shall misunderstand; all classes if None.
        target_class: Class that Bob shall answer; any wrong one if None.
        draws: Draws of what Mallory does not know that a gradient is averaged over.
        batch: Images per training step of an attack.
    """

    source_class: int | None = None
    target_class: int | None = None
    draws: int = 1
    batch: int = 250

    @property
    def each_class(self) -> bool:
        """Whether neither class is chosen."""
        return self.source_class is None and self.target_class is None


class Attack(Configured, ABC):
    """A perturbation of what Bob receives.

    An attack is made from its own settings, told its goal, prepared on Mallory's images, and
    asked for a perturbation of each batch. A subclass states at least ``name`` and
    :meth:`craft`; with ``@ATTACKS.register`` it can be chosen by its name.

    Args:
        config: Its settings, checked already; those of ``settings``, or the defaults, if omitted.
        settings: Its settings by name.

    Attributes:
        needs_gradient: Whether Bob's answer must have a gradient.
        needs_labels: Whether Bob must classify; other attacks degrade the images of a Bob who only
            reconstructs them.
        per_input: Whether it looks at the signal that it perturbs.
        traits: What comparisons must know of it: ``selective`` (spares images of other classes than
            the source class), ``search`` (searches for each image through Bob's receiver),
            ``reference`` (the search that attacks with less knowledge are compared with),
            ``baseline`` (noise that knows nothing, which other attacks must exceed), ``uneven``
            (all energy in one place, which may do less than noise).
        revision: Raised where the same settings come to mean another training against it.
        goal: What it is to achieve; see :meth:`towards`.

    Example:
        >>> class Tone(Attack):
        ...     name = "tone"
        ...     def craft(self, victim, incoming, psrs_db, source):
        ...         signal = incoming.arrival.signal
        ...         return torch.ones_like(signal).expand(len(psrs_db), *signal.shape)
        >>> Tone().towards(Goal(target_class=3)).goal.target_class
        3
    """

    needs_gradient: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = False
    per_input: ClassVar[bool] = True
    traits: ClassVar[frozenset[str]] = frozenset()
    revision: ClassVar[int] = 0
    goal: Goal = Goal()

    def towards(self, goal: Goal) -> Self:
        """Return a copy with a goal; what it has learned is copied too."""
        found = copy.deepcopy(self)
        found.goal = goal
        return found

    def applies_to(self, channel: Channel) -> bool:
        """Return whether the attack is one of its own on Bob's channel."""
        return True

    def fit(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
        progress: Progress,
    ) -> None:
        """Prepare on Mallory's own images; most attacks that see the signal need not.

        Args:
            victim: The link, frozen; attacks that do not see inside use its answers alone.
            images: uint8 ``[N, C, H, W]``.
            labels: int ``[N]``.
            psrs_db: Budgets that will be asked for, dB.
            seed: Seed of every stream.
            progress: Told how far it is.
        """
        return

    @abstractmethod
    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations of one batch at every budget.

        Args:
            victim: The link.
            incoming: The batch; attacks with ``per_input`` false look at its shape alone.
            psrs_db: Budgets, dB, ascending.
            source: Source of the attack's own randomness.

        Returns:
            Perturbations, complex ``[P, B, T]``; only their directions matter.
        """

    def craft_stages(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> dict[str, Tensor]:
        """Return the perturbations at every stage of a search whose course is recorded.

        Args:
            victim: The link.
            incoming: The batch.
            psrs_db: Budgets, dB, ascending.
            source: Source of the attack's own randomness.

        Returns:
            Perturbations, complex ``[P, B, T]``, by stage: ``after_60_queries`` leaves Bob's
            ``accuracy_after_60_queries``; the final ones have the name ``""``.
        """
        return {"": self.craft(victim, incoming, psrs_db, source)}

    @property
    def serves_each_class(self) -> bool:
        """Whether it is evaluated with each class as the source class in turn, by :meth:`aimed`."""
        return False

    def aimed(self, source_class: int) -> Attack:
        """Return the prepared attack with one class as its source class.

        Raises:
            ValueError: If it has not been prepared for each class.
        """
        raise ValueError(f"{self.name} is not prepared for each class")


def in_order() -> list[str]:
    """Return the names of all attacks, in the order of tables and legends."""
    return sorted(ATTACKS.names(), key=lambda name: (ATTACKS.get(name).style.order, name))


def chosen(settings: AttackConfig) -> list[Attack]:
    """Return the attacks that a recipe names, with their settings.

    Example:
        >>> chosen(AttackConfig(names=["fgm", "pgd"], pgd={"steps": 3}))
        [FGM(), PGD(steps=3, restarts=2)]
    """
    names = in_order() if settings.names == ["all"] else settings.names
    kinds = [ATTACKS.get(name, "attack.names") for name in names]
    return [kind(settings.of(kind.Config)) for kind in kinds]


def goal_of(settings: AttackConfig) -> Goal:
    """Return the goal that a recipe states."""
    return Goal(
        settings.source_class, settings.target_class, settings.mallory.draws, settings.batch
    )


Loss = Callable[[Tensor, Tensor], Tensor]
"""Bob's logits ``[B, C]`` and true labels ``[B]`` → what Mallory wants small, ``[B]``."""


def loss_of(answer: Answer, sent: Sent, of_label: Loss) -> Tensor:
    """Return what Mallory minimises, float ``[B]``.

    Args:
        answer: Bob's answer.
        sent: What Alice sent.
        of_label: Loss of his logits. Where he has none, it is minus the logarithm of the squared
            error of his images.
    """
    if answer.logits is None:
        return -answer.log_error(sent.images)
    return of_label(answer.logits, sent.labels)


def misclassify(goal: Goal) -> Loss:
    """Return what an attack minimises that averages over images.

    ``−CE`` of the true label, or ``CE`` of the target class.

    Example:
        >>> misclassify(Goal(target_class=1))(torch.zeros(1, 2), torch.tensor([0]))
        tensor([0.6931])
    """
    wanted = goal.target_class

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        if wanted is None:
            return -F.cross_entropy(logits.float(), labels, reduction="none")
        return F.cross_entropy(logits.float(), torch.full_like(labels, wanted), reduction="none")

    return loss


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the log-odds of classes against all others, float ``[B]``.

    They rise and fall with ``−CE`` and have its direction, image by image, but a slope also where
    Bob is so sure that his cross-entropy is zero to the last bit.

    Args:
        logits: float ``[B, C]``.
        labels: int ``[B]``.

    Example:
        >>> log_odds(torch.tensor([[200.0, 0.0]]), torch.tensor([0]))
        tensor([200.])
    """
    scores = logits.float()
    chosen = scores.gather(1, labels.unsqueeze(1))
    others = scores.scatter(1, labels.unsqueeze(1), -torch.inf)
    return chosen.squeeze(1) - others.logsumexp(1)


def misanswer(goal: Goal) -> Loss:
    """Return what an attack on single images minimises: :func:`misclassify` by its log-odds.

    Example:
        >>> misanswer(Goal(target_class=1))(torch.tensor([[200.0, 0.0]]), torch.tensor([0]))
        tensor([200.])
    """
    wanted = goal.target_class
    if wanted is None:
        return log_odds
    return lambda logits, labels: -log_odds(logits, torch.full_like(labels, wanted))


def failures(goal: Goal) -> Loss:
    """Return what is counted to compare perturbations: 1 where the attack fails.

    Example:
        >>> failures(Goal())(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
        tensor([1.])
    """
    if goal.target_class is None:
        return lambda logits, labels: (logits.argmax(1) == labels).float()
    wanted = goal.target_class
    return lambda logits, labels: (logits.argmax(1) != wanted).float()
