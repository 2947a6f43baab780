"""Accuracy and balanced accuracy of guesses, with intervals that know who is shown."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.metrics.balanced import balanced_accuracy
from semveil.metrics.intervals import Estimate, wilson
from semveil.rng import generator

_RESAMPLES = 1000
_ENDS = (0.025, 0.975)


def rates(
    right: Tensor, labels: Tensor, person: Tensor | None = None, seed: int = 0
) -> tuple[Estimate, Estimate]:
    """Return accuracy and balanced accuracy of guesses at labels.

    Intervals are Wilson's, of all images or joined over classes. They take images for independent.
    Where it is known who is shown, people are resampled too, with all their images (the cluster
    bootstrap: Davison and Hinkley, Bootstrap Methods, 1997, section 3.8), and the interval covers
    both: a few people are no large sample, however many images there are of each.

    Args:
        right: Which guesses are right, bool ``[N]``.
        labels: Classes of the images, int64 ``[N]``.
        person: Who is shown, int64 ``[N]``; None if nobody, or not known.
        seed: Seed of the 1000 resamples.

    Returns:
        Accuracy, and the mean over classes of the accuracy in the class.

    Raises:
        ValueError: If there are no images.

    Example:
        >>> labels = torch.tensor([0] * 90 + [1] * 10)
        >>> plain, balanced = rates(labels == 0, labels)
        >>> plain.value, balanced.value, round(plain.low, 3)
        (0.9, 0.5, 0.826)
        >>> three, _ = rates(labels == 0, labels, torch.arange(100) // 40)
        >>> round(three.low, 3)
        0.5
    """
    right, labels = right.cpu(), labels.cpu()
    classes = int(labels.max()) + 1 if len(labels) else 0
    hits, counts = labels[right].bincount(minlength=classes), labels.bincount(minlength=classes)
    balanced = balanced_accuracy(hits, counts)
    plain = wilson(int(right.sum()), len(right))
    if person is None:
        return plain, balanced
    _, who = person.cpu().unique(return_inverse=True)
    people = int(who.max()) + 1
    cells, size = who * classes + labels, people * classes
    shown = cells.bincount(minlength=size).reshape(people, classes).double()
    known = cells[right].bincount(minlength=size).reshape(people, classes).double()
    drawn = torch.randint(people, (_RESAMPLES, people), generator=generator(seed, "people"))
    times = torch.zeros(_RESAMPLES, people, dtype=torch.double)
    times.scatter_add_(1, drawn, torch.ones_like(times))
    found, asked = times @ known, times @ shown
    # People among whom a class is missing say nothing of the mean over classes.
    whole = (asked > 0)[:, counts > 0].all(1)
    each = (found / asked)[whole][:, counts > 0]
    return _widened(plain, found.sum(1) / asked.sum(1)), _widened(balanced, each.mean(1))


def _widened(estimate: Estimate, resampled: Tensor) -> Estimate:
    if not len(resampled):
        return estimate
    low, high = torch.quantile(resampled, torch.tensor(_ENDS, dtype=torch.double)).tolist()
    return Estimate(estimate.value, min(estimate.low, low), max(estimate.high, high), estimate.n)
