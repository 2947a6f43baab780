"""What every attack on Bob is: something to prepare, and something to send at each budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.recipe import AttackConfig as Settings

Progress = Callable[[str, int, int], None]
"""Told ``(what is going on, done, in all)``."""


class Attack(Protocol):
    """A perturbation of what Bob receives.

    An attack is made from its settings alone, prepared on Mallory's own images, and then asked
    what it sends beside each batch.

    Attributes:
        name: Its name on the command line and in records.
        needs_gradient: Whether Bob's answer must have one.
        per_input: Whether it looks at the signal that it perturbs.
    """

    name: str
    needs_gradient: bool
    per_input: bool

    def fit(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        psrs_db: Sequence[float],
        seed: int,
        progress: Progress,
    ) -> None:
        """Prepare on images that are Mallory's own; there may be nothing to prepare.

        Args:
            victim: The link, frozen; attacks that do not see inside use its answers alone.
            images: uint8 ``[N, C, H, W]``.
            labels: int ``[N]``.
            psrs_db: Budgets that will be asked for, dB.
            seed: Seed of every stream.
            progress: Told how far it is.
        """
        return

    def craft(
        self,
        victim: Victim,
        scene: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return what is sent beside one batch, at every budget.

        Args:
            victim: The link.
            scene: The batch; attacks with ``per_input`` false look at its shape alone.
            psrs_db: Budgets, dB, ascending.
            source: Source of the attack's own randomness.

        Returns:
            Perturbations, complex ``[P, B, T]``; only their directions matter.
        """
        ...


Loss = Callable[[Tensor, Tensor], Tensor]
"""Bob's logits ``[B, C]`` and true labels ``[B]`` → what Mallory wants small, ``[B]``."""


def misclassify(settings: Settings) -> Loss:
    """Return what an attack on Bob's answer minimises, whatever it averages over.

    ``−CE`` of the true label, or ``CE`` of the class that he is to answer.

    Example:
        >>> misclassify(Settings(wrong=1))(torch.zeros(1, 2), torch.tensor([0]))
        tensor([0.6931])
    """
    wanted = settings.wrong

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


def misanswer(settings: Settings) -> Loss:
    """Return what an attack on single images minimises: :func:`misclassify` by its log-odds.

    Example:
        >>> misanswer(Settings(wrong=1))(torch.tensor([[200.0, 0.0]]), torch.tensor([0]))
        tensor([200.])
    """
    wanted = settings.wrong
    if wanted is None:
        return log_odds
    return lambda logits, labels: -log_odds(logits, torch.full_like(labels, wanted))
