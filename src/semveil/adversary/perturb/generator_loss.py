"""What the generators PGM and SemAdv share: drawing, remapping, and the losses of their training.

A :class:`PerturbationGenerator` holds a generator network and what it is trained with. It has no
access to a link: its trainer builds Bob's graph once and passes his logits on::

    classes = model.source_classes(labels, source)           # classes attacked, or None
    delta = model.draw(len(labels), psr_db, source, classes)
    logits = ...                                             # Bob's, with delta at his antenna
    model.loss(logits, labels, classes, delta, source)       # minimised over the generator
    model.discriminator_loss(delta.detach(), source)         # where players() has a discriminator

The caller applies the attacker's channel (:meth:`PerturbationGenerator.training_channel`) and the
exact PSR. :class:`semveil.adversary.perturb.generator_attack.GeneratorAttack` makes attacks of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.perturb.attack import Goal, failures
from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.victim import Sent
from semveil.link import Answer
from semveil.nets.generator import GeneratorNetwork
from semveil.phy.broadcast import squared_magnitude
from semveil.rng import Randomness, uniform
from semveil.section import Section

Weight = Annotated[float, Field(ge=0, le=1e6)]


class GeneratorConfig(Section):
    """Settings of every generator.

    Attributes:
        epochs: Passes over Mallory's images.
        lr: Learning rate; a discriminator's is a tenth of it.
        diversity: Weight of the distance between perturbations.
    """

    epochs: Annotated[int, Field(gt=0)] = 10
    lr: Annotated[float, Field(gt=0, le=1)] = 1e-3
    diversity: Weight = 0.1


def remap(waveforms: Tensor) -> Tensor:
    """Take the mean of every waveform away and give it unit power (arXiv 2305.07220, eq. 16).

    The exact budget is a matter of scale and comes last; the published rule touches perturbations
    above it alone, here all lie on it.

    Args:
        waveforms: complex ``[B, T]``.

    Example:
        >>> remap(torch.tensor([[3.0, 1.0]]) + 0j)
        tensor([[ 1.+0.j, -1.+0.j]])
    """
    centred = waveforms - waveforms.mean(1, keepdim=True)
    power = squared_magnitude(centred).mean(1, keepdim=True)
    return centred * power.clamp_min(1e-20).rsqrt()


def spread(waveforms: Tensor, groups: Tensor | None = None) -> Tensor:
    """Return the mean distance of pairs of waveforms over their norm (arXiv 2305.07220, eq. 15).

    Args:
        waveforms: Of one norm, complex ``[B, T]``.
        groups: Only pairs within these are counted, int ``[B]``; all if None.

    Returns:
        Scalar from 0 to 2; independent noise comes to √2. 0 where there is no pair.

    Example:
        >>> float(spread(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]) + 0j))
        2.0
    """
    flat = nn.functional.normalize(torch.view_as_real(waveforms).flatten(1), dim=1)
    alike = flat @ flat.T
    pairs = ~torch.eye(len(flat), dtype=torch.bool, device=flat.device)
    if groups is not None:
        pairs = pairs & (groups[:, None] == groups)
    distances = (2 - 2 * alike).clamp_min(1e-8).sqrt()
    return torch.where(pairs, distances, 0).sum() / pairs.sum().clamp_min(1)


class PerturbationGenerator(nn.Module, ABC):
    """A generator and what it is trained with.

    Args:
        config: Settings of the attack.
        goal: Source and target class, images per step.
        length: Samples of a waveform, ``T``.
        classes: Answers of Bob's task.
        conditional: Whether the generator is told a class.
    """

    config: Any

    def __init__(
        self,
        config: GeneratorConfig,
        goal: Goal,
        length: int,
        classes: int,
        conditional: bool = False,
    ) -> None:
        super().__init__()
        self.config, self.goal, self.classes = config, goal, classes
        self.generator = GeneratorNetwork(length, classes if conditional else 0)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of ``generator`` and, where there is one, ``discriminator``."""
        return {"generator": list(self.generator.parameters())}

    def training_channel(self, channel: AttackerChannel) -> AttackerChannel:
        """Return the attacker's channel in training, given the one in the test."""
        return channel

    def pick(self, labels: Tensor, count: int, source: Randomness) -> tuple[Tensor, Tensor | None]:
        """Choose images for one training step, and the classes attacked.

        Args:
            labels: Of all of Mallory's images, int ``[N]``.
            count: Images wanted, ``B``.
            source: Source of randomness.

        Returns:
            Rows, int ``[B]``, and classes, int ``[B]``; None where no class is attacked.
        """
        draws = uniform((count,), device=labels.device, generator=source)
        return (draws * len(labels)).long().clamp_max(len(labels) - 1), None

    def source_classes(self, labels: Tensor, source: Randomness) -> Tensor | None:
        """Return classes to attack that are independent of the labels, int ``[B]``, or None."""
        return None

    def seeds(self, batch: int, source: Randomness, device: torch.device | str = "cpu") -> Tensor:
        """Draw the generator's random input, uniform in [−1, 1), float ``[B, seeds]``."""
        shape = batch, self.generator.seeds
        return 2 * uniform(shape, device=device, generator=source) - 1

    def shape(self, seeds: Tensor, psr_db: Tensor | float, classes: Tensor | None = None) -> Tensor:
        """Return the perturbations of given seeds; see :meth:`draw`."""
        budgets = torch.as_tensor(psr_db, dtype=seeds.dtype, device=seeds.device)
        told = classes if self.generator.classes else None
        return remap(self.generator(seeds, budgets.expand(len(seeds)), told))

    def draw(
        self,
        batch: int,
        psr_db: Tensor | float,
        source: Randomness,
        classes: Tensor | None = None,
    ) -> Tensor:
        """Draw perturbations, differentiable in the generator's parameters.

        Args:
            batch: How many, ``B``.
            psr_db: Budgets that the generator is told, dB, one or ``[B]``.
            source: Source of its random input.
            classes: Classes attacked, int ``[B]``, where :meth:`source_classes` returns any.

        Returns:
            Directions of zero mean and unit power, complex ``[B, T]``.
        """
        device = next(self.generator.parameters()).device
        return self.shape(self.seeds(batch, source, device), psr_db, classes)

    @abstractmethod
    def objective(
        self, logits: Tensor, labels: Tensor, classes: Tensor | None, source: Randomness
    ) -> Tensor:
        """Return the loss of Bob's answer, a scalar that falls as the attack succeeds.

        Args:
            logits: Bob's, float ``[B, C]``.
            labels: True classes, int ``[B]``.
            classes: Classes attacked, int ``[B]`` or None.
            source: Source of randomness.
        """

    def failure_rate(self, logits: Tensor, labels: Tensor, classes: Tensor | None) -> float:
        """Return how often the attack fails, by Bob's answers: what generators are chosen by."""
        return float(failures(self.goal)(logits, labels).mean())

    def mean_loss(
        self, answer: Answer, sent: Sent, classes: Tensor | None, source: Randomness
    ) -> Tensor:
        """Return :meth:`objective`; where Bob has no logits, minus the error of his images."""
        if answer.logits is None:
            return -answer.log_error(sent.images).mean()
        return self.objective(answer.scores, sent.labels, classes, source)

    def loss(
        self,
        answer: Answer,
        sent: Sent,
        classes: Tensor | None,
        delta: Tensor,
        source: Randomness,
    ) -> Tensor:
        """Return the generator's loss, a scalar: its objective minus the weighted spread.

        Args:
            answer: Bob's, under the perturbations.
            sent: What Alice sent.
            classes: Classes attacked, int ``[B]`` or None.
            delta: What :meth:`draw` returned for them, complex ``[B, T]``.
            source: Source of randomness.
        """
        total = self.mean_loss(answer, sent, classes, source)
        if self.config.diversity:
            total = total - self.config.diversity * spread(delta, classes)
        return total

    def discriminator_loss(self, delta: Tensor, source: Randomness) -> Tensor:
        """Return the discriminator's loss, a scalar, where :meth:`players` has one.

        Args:
            delta: Perturbations without gradient, complex ``[B, T]``.
            source: Source of the noise that they are compared with.

        Raises:
            ValueError: If there is none.
        """
        raise ValueError("this generator has no discriminator")
