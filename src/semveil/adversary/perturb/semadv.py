"""SemAdv: a generator whose perturbations make Bob misunderstand one class and no other.

Nan et al., arXiv 2305.07220, equations (13) to (16). Our readings: the wrong class of an image
is drawn afresh in every step, so that the best answer is spread over all wrong ones (the most
likely wrong one would be easier to reach); equation (14) sums over the two sets, so that attacked
and other images weigh by their number, 1 : 9 with ten classes (``innocent_weight`` is another
ratio); Mallory takes half of each batch from the source class, whatever the ratio; budgets are met
exactly.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.adversary.perturb.generator_loss import GeneratorConfig, PerturbationGenerator
from semveil.adversary.perturb.victim import Victim
from semveil.errors import SemveilError
from semveil.rng import Randomness, uniform
from semveil.style import VERMILLION, Style


def _below(counts: Tensor, source: Randomness) -> Tensor:
    """Draw one whole number below each count, int ``[B]``."""
    draws = uniform((len(counts),), device=counts.device, generator=source)
    return torch.minimum((draws * counts).long(), counts - 1)


def wrong_classes(labels: Tensor, classes: int, source: Randomness) -> Tensor:
    """Draw a wrong class for every label, all equally probable, int ``[B]``.

    Example:
        >>> wrong_classes(torch.tensor([0, 1]), 2, None)
        tensor([1, 0])
    """
    return (labels + 1 + _below(torch.full_like(labels, classes - 1), source)) % classes


def half_of(labels: Tensor, classes: Tensor, source: Randomness) -> Tensor:
    """Choose one image for every class attacked: of that class every other time, else of another.

    Args:
        labels: Of all images, int ``[N]``.
        classes: Classes attacked, int ``[B]``.
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
    counts = torch.bincount(labels, minlength=int(classes.max()) + 1)
    first, count = (counts.cumsum(0) - counts)[classes], counts[classes]
    own = torch.arange(len(classes), device=labels.device) % 2 == 0
    # A set of few images may hold none of a class, or no other.
    own = (own & (count > 0)) | (count == len(labels))
    other = _below(len(labels) - count, source)
    other = torch.where(other < first, other, other + count)
    return order[torch.where(own, first + _below(count, source), other)]


class SemAdvConfig(GeneratorConfig):
    """Settings of SemAdv.

    Attributes:
        epochs: Passes over Mallory's images.
        lr: Learning rate.
        diversity: Weight of the distance between perturbations that attack one class.
        innocent_weight: Weight of all images of other classes together over that of the images of
            the class attacked; if null, one for each other class, as sums over equally frequent
            classes have it: 9 with ten classes.
    """

    innocent_weight: Annotated[float, Field(ge=0.01, le=1000)] | None = None


class SemAdvGenerator(PerturbationGenerator):
    """Images of the class attacked are misunderstood, all others are understood.

    Without a source class the generator is told the class and serves them all, unless there is a
    target class: then Bob shall answer it to every image.

    Args:
        config: Settings of SemAdv.
        goal: Source class and target class, if any.
        length: Samples of a waveform, ``T``.
        classes: Answers of Bob's task.

    Example:
        >>> from semveil.rng import generator
        >>> model = SemAdvGenerator(SemAdvConfig(), Goal(), length=12, classes=10)
        >>> classes = model.source_classes(torch.tensor([3, 1, 4, 1]), generator(0))
        >>> model.draw(4, -6.0, generator(0), classes).shape
        torch.Size([4, 12])
    """

    config: SemAdvConfig

    def __init__(self, config: SemAdvConfig, goal: Goal, length: int, classes: int) -> None:
        super().__init__(config, goal, length, classes, conditional=goal.each_class)

    @property
    def innocent_weight(self) -> float:
        """Weight of the other classes together over that of the class attacked."""
        chosen = self.config.innocent_weight
        return float(self.classes - 1) if chosen is None else chosen

    @property
    def every_image(self) -> bool:
        """Whether every image is attacked."""
        return self.goal.source_class is None and self.goal.target_class is not None

    def pick(self, labels: Tensor, count: int, source: Randomness) -> tuple[Tensor, Tensor | None]:
        """Choose images for a training step, half of them of the classes attacked."""
        rows, _ = super().pick(labels, count, source)
        if self.every_image:
            return rows, None
        chosen = labels[rows]
        classes = chosen if self.goal.each_class else self.source_classes(chosen, source)
        assert classes is not None
        return half_of(labels, classes, source), classes

    def source_classes(self, labels: Tensor, source: Randomness) -> Tensor | None:
        """Return classes to attack, int ``[B]``: one for each image, independent of its label.

        The paper draws one for a whole batch; drawn image by image, every step serves all. Where
        Bob learns, a class that depended on the label would show him the label.
        """
        if self.every_image:
            return None
        if self.goal.source_class is not None:
            return torch.full_like(labels, self.goal.source_class)
        return _below(torch.full_like(labels, self.classes), source)

    def objective(
        self, logits: Tensor, labels: Tensor, classes: Tensor | None, source: Randomness
    ) -> Tensor:
        """Return equation (14): both sets' weighted cross-entropies, of a wrong class and the true.

        The weights sum to 2, whatever their ratio, so that ``diversity`` means the same.
        """
        wanted = self.goal.target_class
        if wanted is None:
            wrong = wrong_classes(labels, self.classes, source)
        else:
            wrong = torch.full_like(labels, wanted)
        if classes is None:
            return F.cross_entropy(logits, wrong)
        hit = classes == labels
        losses = F.cross_entropy(logits, torch.where(hit, wrong, labels), reduction="none")
        return self._weighted(losses, hit)

    def _weighted(self, values: Tensor, hit: Tensor) -> Tensor:
        means = [(values * of).sum() / of.sum().clamp_min(1) for of in (hit, ~hit)]
        ratio = self.innocent_weight
        return 2 / (1 + ratio) * (means[0] + ratio * means[1])

    def failure_rate(self, logits: Tensor, labels: Tensor, classes: Tensor | None) -> float:
        """Return how often it fails: on both sets of images, weighted as :meth:`objective`."""
        if classes is None:
            return super().failure_rate(logits, labels, classes)
        answers, hit, wanted = logits.argmax(1), classes == labels, self.goal.target_class
        missed = answers == labels if wanted is None else answers != wanted
        return float(self._weighted(torch.where(hit, missed, answers != labels).float(), hit)) / 2


@ATTACKS.register
class SemAdv(GeneratorAttack):
    """SemAdv as an attack.

    Example:
        >>> attack = SemAdv(epochs=2).towards(Goal(source_class=2))
        >>> attack.serves_each_class
        False
    """

    name = "semadv"
    description = "a generator that attacks one class and spares the others"
    source = "Nan et al., arXiv 2305.07220"
    needs_labels = True
    traits = frozenset({"selective"})
    # Before, both sets weighed the same.
    revision = 1
    style = Style(VERMILLION, "o", 60)
    kind = SemAdvGenerator

    Config = SemAdvConfig
    config: SemAdvConfig

    def check(self, victim: Victim, labels: Tensor) -> None:
        """Refuse classes that are not there; see :class:`GeneratorAttack`."""
        super().check(victim, labels)
        attacked, wanted = self.goal.source_class, self.goal.target_class
        if attacked is None and wanted is not None:
            return
        if attacked is not None and not (labels == attacked).any():
            raise SemveilError(
                f"attack.source_class: none of Mallory's images is of class {attacked}"
            )
        if attacked is not None and attacked == wanted:
            raise SemveilError(
                f"attack.target_class: {wanted} is the class that attack.source_class names"
            )
        if len(labels.unique()) < 2:
            raise SemveilError("attack.source_class: Mallory's images are all of one class")

    @property
    def serves_each_class(self) -> bool:
        """Whether neither class is chosen: one generator then serves every source class."""
        return self.goal.each_class

    @property
    def _told(self) -> int:
        """How many classes its generators are told; none where they attack one."""
        return max((model.generator.classes for model in self.models.values()), default=0)

    def aimed(self, source_class: int) -> SemAdv:
        """Return the same trained attack on one class, where it has been trained on each.

        Raises:
            ValueError: If it has not.
        """
        if not self._told:
            raise ValueError("SemAdv has not been trained for each class")
        found = copy.copy(self)
        found.goal = replace(self.goal, source_class=source_class)
        return found

    def source_classes(self, batch: int, source: torch.Generator) -> Tensor | None:
        """Return the class of every perturbation, int ``[B]``: drawn once for the whole batch."""
        if not self._told:
            return None
        if self.goal.source_class is not None:
            return torch.full((batch,), self.goal.source_class, device=source.device)
        one = torch.randint(self._told, (1,), generator=source, device=source.device)
        return one.expand(batch)
