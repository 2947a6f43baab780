"""Classification tasks on the images: Bob's, and Eve's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from semveil.data.splits import Images, ImageSplits
from semveil.metrics import Estimate, rates


@dataclass(frozen=True)
class GuessingTask:
    """A classification task on the test images; ``known`` counts Eve's images of each class."""

    name: str
    answers: Tensor
    known: Tensor
    person: Tensor | None
    seed: int

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.known)

    def right(self, logits: Tensor) -> Tensor:
        """Return which guesses at the first images are right, ``[N, classes]`` → bool ``[N]``."""
        return logits.argmax(1) == self.answers[: len(logits)].to(logits.device)

    def right_among_equals(self, logits: Tensor, offsets: Tensor | None = None) -> Tensor:
        """Return which guesses are right that weigh all classes alike, as balanced accuracy does.

        Offsets ``[classes]`` are added to the logits; if None, the logarithms of the frequencies
        that they were learned with are taken from them (Menon et al., Long-tail learning via logit
        adjustment, ICLR 2021). Else whoever knows that a rare class has become twice as likely
        answers the frequent one all the same, and seems to know nothing.
        """
        return self.right(logits + (self._offsets() if offsets is None else offsets).to(logits))

    def offsets(self, logits: Tensor, answers: Tensor) -> Tensor:
        """Return the offsets that suit logits of other images whose answers are known, float64.

        Networks that were stopped early do not state the frequencies that they learned with. Of
        cross-entropy with all classes weighed alike, plus a normal prior of variance 1 around
        :func:`right_among_equals`' frequencies, these offsets are the minimum (Alexandari et al.,
        Maximum likelihood with bias-corrected calibration, ICML 2020, without its temperature).
        """
        logits, answers = logits.detach().double().cpu(), answers.cpu()
        start = self._offsets()
        counts = answers.bincount(minlength=self.classes)
        present = counts > 0
        weights = (1 / counts.clamp(min=1).double() / present.sum())[answers]
        # A class that is not among them says nothing of its offset.
        logits = logits.masked_fill(~present, -math.inf)
        found = start.clone().requires_grad_()
        solver = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

        @torch.enable_grad()
        def loss() -> Tensor:
            solver.zero_grad()
            fit = cross_entropy(logits + found, answers, reduction="none") @ weights
            total = fit + (found - start).square().sum() / (2 * len(answers))
            total.backward()
            return total

        solver.step(loss)
        return found.detach()

    def _offsets(self) -> Tensor:
        return -self.known.clamp(min=1).double().log()

    def score(
        self, right: Tensor, among_equals: Tensor | None = None
    ) -> Iterator[tuple[str, Estimate]]:
        """Yield the metrics of guesses at the first images; the balanced one of other guesses."""
        some = slice(len(right))
        person = None if self.person is None else self.person[some]
        plain, balanced = rates(right, self.answers[some], person, self.seed)
        if among_equals is not None:
            _, balanced = rates(among_equals, self.answers[some], person, self.seed)
        yield "accuracy", plain
        yield "balanced_accuracy", balanced

    def floors(self) -> Iterator[tuple[str, Estimate]]:
        """Yield the floors of these metrics: naming the most frequent answer every time."""
        right = self.answers == self.known.argmax()
        plain, balanced = rates(right, self.answers, self.person, self.seed)
        yield "chance", plain
        yield "balanced_accuracy_floor", balanced


def eve_labels(images: Images) -> NDArray[np.int64]:
    """Return what Eve learns about images: the private attribute, or else Bob's task."""
    return images.y if images.private is None else images.private


def tasks_of(splits: ImageSplits, seed: int) -> tuple[GuessingTask, GuessingTask]:
    """Return Bob's task and Eve's; the same one where she is after his.

    An attribute without a name has that of its last class: ``Male`` of ``not Male`` and ``Male``.
    """
    person = splits.test.person
    people = None if person is None else torch.from_numpy(person)

    def task_on(name: str, classes: int, of: Callable[[Images], NDArray[np.int64]]) -> GuessingTask:
        known = np.bincount(of(splits.adversary), minlength=classes)
        return GuessingTask(
            name, torch.from_numpy(of(splits.test)), torch.from_numpy(known), people, seed
        )

    task = task_on("label", splits.n_classes, lambda images: images.y)
    if splits.private_classes is None:
        return task, task
    name = splits.private_name or splits.private_classes[-1]
    return task, task_on(name, len(splits.private_classes), eve_labels)
