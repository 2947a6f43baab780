"""PGM: a generator of universal perturbations that pass for noise.

Bahramali, Nasr, Houmansadr, Goeckel, Towsley, CCS 2021, arXiv 2102.00918. Their code is not
public; what is stated is that the generator is blind to the input, is trained over the whole
set, is made robust to shifts, and deceives a discriminator that knows Gaussian noise, which
learns at a tenth of its rate as in the same authors' precursor BLANKET; sizes and weights are our
reading.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.adversary.perturb.generator_loss import PerturbationGenerator, remap
from semveil.nets.generator import Discriminator
from semveil.recipe import AttackConfig as Settings
from semveil.rng import Randomness, normal


class PgmGenerator(PerturbationGenerator):
    """Bob answers anything but the truth, and a discriminator takes perturbations for noise.

    Args:
        settings: Weights, shift, and the class that Bob is to answer, if any.
        length: Samples of a waveform, ``T``.
        classes: Answers of Bob's task.

    Example:
        >>> from semveil.rng import generator
        >>> game = PgmGenerator(Settings(), length=12, classes=10)
        >>> game.draw(4, -6.0, generator(0)).shape, sorted(game.players())
        (torch.Size([4, 12]), ['discriminator', 'generator'])
    """

    def __init__(self, settings: Settings, length: int, classes: int) -> None:
        super().__init__(settings, length, classes)
        self.discriminator = Discriminator(length)

    def players(self) -> dict[str, list[nn.Parameter]]:
        """Return the parameters of both; of the generator alone where disguise has no weight."""
        players = super().players()
        if self.settings.disguise:
            players["discriminator"] = list(self.discriminator.parameters())
        return players

    def rehearsed(self, path: AttackerChannel) -> AttackerChannel:
        """Return the path with at least the shift that PGM is to withstand."""
        return replace(path, timing=max(path.timing, self.settings.shift))

    def aim(
        self, logits: Tensor, labels: Tensor, targets: Tensor | None, source: Randomness
    ) -> Tensor:
        """Return ``−log(1 − p)`` of the truth, or the cross-entropy of the class wanted.

        Binary cross-entropy, as in BLANKET: unlike ``−CE`` it is bounded where an image is lost,
        so that the generator turns to those that are not.
        """
        if self.settings.wrong is not None:
            return F.cross_entropy(logits, torch.full_like(labels, self.settings.wrong))
        truth = F.one_hot(labels, self.classes).bool()
        others = logits.masked_fill(truth, float("-inf")).logsumexp(1)
        return (logits.logsumexp(1) - others).mean()

    def loss(
        self,
        logits: Tensor,
        labels: Tensor,
        targets: Tensor | None,
        delta: Tensor,
        source: Randomness,
    ) -> Tensor:
        """Return the generator's loss; see :class:`PerturbationGenerator`."""
        total = super().loss(logits, labels, targets, delta, source)
        if self.settings.disguise:
            # Deceived where it takes them for noise: softplus(−x) is −log sigmoid(x).
            total = total + self.settings.disguise * F.softplus(-self.judged(delta)).mean()
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


class PGM(GeneratorAttack):
    """PGM as an attack.

    Example:
        >>> attack = PGM(Settings())
        >>> attack.name, attack.per_input
        ('pgm', False)
    """

    name = "pgm"
    kind = PgmGenerator
