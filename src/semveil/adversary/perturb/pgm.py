"""PGM: a generator of universal perturbations that pass for noise.

Bahramali, Nasr, Houmansadr, Goeckel, Towsley, CCS 2021, arXiv 2102.00918. Their code is not
public; what is stated is that the generator is blind to the input, is trained over the whole
set, is made robust to shifts, and deceives a discriminator that knows Gaussian noise, which
learns at a tenth of its rate as in the same authors' precursor BLANKET; sizes and weights are our
reading.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.adversary.perturb.generator_loss import (
    GeneratorConfig,
    PerturbationGenerator,
    Weight,
    remap,
)
from semveil.adversary.perturb.victim import Sent
from semveil.link import Answer
from semveil.nets.generator import Discriminator
from semveil.rng import Randomness, normal
from semveil.style import ORANGE, Style


class PgmConfig(GeneratorConfig):
    """Settings of PGM.

    Attributes:
        epochs: Passes over Mallory's images.
        lr: Learning rate of the generator; the discriminator's is a tenth of it.
        diversity: Weight of the distance between perturbations.
        disguise: Weight of the discriminator that the generator has to deceive.
        shift: Samples by which perturbations are shifted at random in training.
    """

    disguise: Weight = 0.1
    shift: Annotated[int, Field(ge=0, le=4096)] = 4


class PgmGenerator(PerturbationGenerator):
    """Bob answers anything but the truth, and a discriminator takes perturbations for noise.

    Args:
        config: Settings of PGM.
        goal: The target class, if any.
        length: Samples of a waveform, ``T``.
        classes: Answers of Bob's task.

    Example:
        >>> from semveil.rng import generator
        >>> model = PgmGenerator(PgmConfig(), Goal(), length=12, classes=10)
        >>> model.draw(4, -6.0, generator(0)).shape, sorted(model.players())
        (torch.Size([4, 12]), ['discriminator', 'generator'])
    """

    config: PgmConfig

    def __init__(self, config: PgmConfig, goal: Goal, length: int, classes: int) -> None:
        super().__init__(config, goal, length, classes)
        self.discriminator = Discriminator(length)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of both; of the generator alone where disguise has no weight."""
        players = super().players()
        if self.config.disguise:
            players["discriminator"] = list(self.discriminator.parameters())
        return players

    def training_channel(self, channel: AttackerChannel) -> AttackerChannel:
        """Return the channel with at least the shift that PGM has to withstand."""
        return replace(channel, timing=max(channel.timing, self.config.shift))

    def objective(
        self, logits: Tensor, labels: Tensor, classes: Tensor | None, source: Randomness
    ) -> Tensor:
        """Return ``−log(1 − p)`` of the true class, or the cross-entropy of the target class.

        Binary cross-entropy, as in BLANKET: unlike ``−CE`` it is bounded where an image is
        misclassified, so that the generator turns to those that are not.
        """
        if self.goal.target_class is not None:
            return F.cross_entropy(logits, torch.full_like(labels, self.goal.target_class))
        truth = F.one_hot(labels, self.classes).bool()
        others = logits.masked_fill(truth, float("-inf")).logsumexp(1)
        return (logits.logsumexp(1) - others).mean()

    def loss(
        self,
        answer: Answer,
        sent: Sent,
        classes: Tensor | None,
        delta: Tensor,
        source: Randomness,
    ) -> Tensor:
        """Return the generator's loss; see :class:`PerturbationGenerator`."""
        total = super().loss(answer, sent, classes, delta, source)
        if self.config.disguise:
            # Deceived where it takes them for noise: softplus(−x) is −log sigmoid(x).
            total = total + self.config.disguise * F.softplus(-self.judged(delta)).mean()
        return total

    def judged(self, delta: Tensor) -> Tensor:
        """Return the discriminator's logits of perturbations, float ``[B]``, positive for noise."""
        logits: Tensor = self.discriminator(remap(delta))
        return logits

    def discriminator_loss(self, delta: Tensor, source: Randomness) -> Tensor:
        """Return its cross-entropy over perturbations and as much Gaussian noise of their power."""
        shape = tuple(delta.shape)
        noise = normal(shape, dtype=delta.dtype, device=delta.device, generator=source)
        wrong = F.softplus(self.judged(delta)) + F.softplus(-self.judged(noise))
        return wrong.mean() / 2


@ATTACKS.register
class PGM(GeneratorAttack):
    """PGM as an attack.

    Example:
        >>> PGM(epochs=2, shift=0).per_input
        False
    """

    name = "pgm"
    description = "a generator that uses no input; its output resembles noise"
    source = "Bahramali et al., arXiv 2102.00918"
    style = Style(ORANGE, "s", 50)
    kind = PgmGenerator
    Config = PgmConfig
    config: PgmConfig
