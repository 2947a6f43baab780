"""SemAdv: a generator whose perturbations make Bob misunderstand one class and no other.

Nan et al., arXiv 2305.07220, equations (13) to (16). Our readings: the wrong class of an image
is drawn afresh in every step, so that the best answer is spread over all wrong ones (the most
likely wrong one would be easier to reach); target and innocent set count alike, as means, where
the paper's sums would give the innocent nine times the weight; Mallory takes half of each batch
from the target class; budgets are met exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.adversary.perturb.generator_loss import PerturbationGenerator
from semveil.adversary.perturb.victim import Victim
from semveil.errors import SemveilError
from semveil.recipe import AttackConfig as Settings
from semveil.rng import Randomness, uniform


def _below(counts: Tensor, source: Randomness) -> Tensor:
    """Draw one whole number below each count, int ``[B]``."""
    draws = uniform((len(counts),), device=counts.device, generator=source)
    return torch.minimum((draws * counts).long(), counts - 1)


def wrong_classes(labels: Tensor, classes: int, source: Randomness) -> Tensor:
    """Draw a wrong class for every label, all alike probable, int ``[B]``.

    Example:
        >>> wrong_classes(torch.tensor([0, 1]), 2, None)
        tensor([1, 0])
    """
    return (labels + 1 + _below(torch.full_like(labels, classes - 1), source)) % classes


def half_of(labels: Tensor, targets: Tensor, source: Randomness) -> Tensor:
    """Choose one image for every class aimed at: of that class every other time, else of another.

    Args:
        labels: Of all images, int ``[N]``.
        targets: Classes aimed at, int ``[B]``.
        source: Source of randomness.

    Returns:
        Rows, int ``[B]``.

    Example:
        >>> labels = torch.tensor([0, 1, 1])
        >>> rows = half_of(labels, torch.tensor([0, 0, 0, 0]), None)
        >>> (labels[rows] == 0).tolist()
        [True, False, True, False]
    """
    order = labels.argsort(stable=True)
    counts = torch.bincount(labels, minlength=int(targets.max()) + 1)
    first, count = (counts.cumsum(0) - counts)[targets], counts[targets]
    own = torch.arange(len(targets), device=labels.device) % 2 == 0
    # A set of few images may hold none of a class, or no other.
    own = (own & (count > 0)) | (count == len(labels))
    other = _below(len(labels) - count, source)
    other = torch.where(other < first, other, other + count)
    return order[torch.where(own, first + _below(count, source), other)]


class SemAdvGenerator(PerturbationGenerator):
    """The class aimed at is misunderstood, all others are understood.

    With ``settings.target`` null the generator is told the class and serves them all, unless
    ``settings.wrong`` is set: then nobody is innocent, and every image is to be answered so.

    Args:
        settings: Weights; the class aimed at, and the class that Bob is to answer, if any.
        length: Samples of a waveform, ``T``.
        classes: Answers of Bob's task.

    Example:
        >>> from semveil.rng import generator
        >>> game = SemAdvGenerator(Settings(), length=12, classes=10)
        >>> targets = game.targets(torch.tensor([3, 1, 4, 1]), generator(0))
        >>> game.draw(4, -6.0, generator(0), targets).shape
        torch.Size([4, 12])
    """

    def __init__(self, settings: Settings, length: int, classes: int) -> None:
        self.everybody = settings.target is None and settings.wrong is not None
        self.each = settings.target is None and settings.wrong is None
        super().__init__(settings, length, classes, aimed=self.each)

    def pick(self, labels: Tensor, count: int, source: Randomness) -> tuple[Tensor, Tensor | None]:
        """Choose images for a step of Mallory's, half of them of the classes aimed at."""
        rows, _ = super().pick(labels, count, source)
        if self.everybody:
            return rows, None
        targets = labels[rows] if self.each else self.targets(labels[rows], source)
        assert targets is not None
        return half_of(labels, targets, source), targets

    def targets(self, labels: Tensor, source: Randomness) -> Tensor | None:
        """Return classes to aim at, int ``[B]``: one for each image, whatever its label.

        The paper draws one for a whole batch; drawn image by image, every step serves all. They
        must not depend on the label where Bob learns: he would read it off the perturbation.
        """
        if self.everybody:
            return None
        if self.settings.target is not None:
            return torch.full_like(labels, self.settings.target)
        return _below(torch.full_like(labels, self.classes), source)

    def aim(
        self, logits: Tensor, labels: Tensor, targets: Tensor | None, source: Randomness
    ) -> Tensor:
        """Return equation (14): both sets' mean cross-entropies, of a wrong class and the true."""
        chosen = self.settings.wrong
        if chosen is None:
            wrong = wrong_classes(labels, self.classes, source)
        else:
            wrong = torch.full_like(labels, chosen)
        if targets is None:
            return F.cross_entropy(logits, wrong)
        hit = targets == labels
        losses = F.cross_entropy(logits, torch.where(hit, wrong, labels), reduction="none")
        means = [(losses * of).sum() / of.sum().clamp_min(1) for of in (hit, ~hit)]
        return means[0] + means[1]


class SemAdv(GeneratorAttack):
    """SemAdv as an attack.

    Example:
        >>> attack = SemAdv(Settings(target=2))
        >>> attack.name, attack.per_input
        ('semadv', False)
    """

    name = "semadv"
    kind = SemAdvGenerator

    def check(self, victim: Victim, labels: Tensor) -> None:
        """Refuse classes that are not there; see :class:`GeneratorAttack`."""
        super().check(victim, labels)
        target, wrong = self.settings.target, self.settings.wrong
        if target is None and wrong is not None:
            return
        if target is not None and not (labels == target).any():
            raise SemveilError(f"attack.target: none of Mallory's images is of class {target}")
        if target is not None and target == wrong:
            raise SemveilError(f"attack.wrong: {wrong} is the class that attack.target names")
        if len(labels.unique()) < 2:
            raise SemveilError("attack.target: Mallory's images are all of one class")

    def aimed(self, target: int) -> SemAdv:
        """Return the same trained attack on one class, where it has been trained on each.

        Raises:
            ValueError: If it has not.
        """
        if self.game is None or not self.game.generator.classes:
            raise ValueError("it has not been trained to be aimed at any class")
        one = SemAdv(self.settings.model_copy(update={"target": target}))
        one.game = self.game
        return one

    def targets(self, batch: int, source: torch.Generator) -> Tensor | None:
        """Return the class of every perturbation, int ``[B]``: drawn once for the whole batch."""
        if self.game is None or not self.game.generator.classes:
            return None
        if self.settings.target is not None:
            return torch.full((batch,), self.settings.target, device=source.device)
        one = torch.randint(
            self.game.generator.classes, (1,), generator=source, device=source.device
        )
        return one.expand(batch)
