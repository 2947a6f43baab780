"""Accuracy of answers, plain and balanced, and the other rates of answers that records hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from semveil.metrics.base import METRICS, Metric, Rate
from semveil.metrics.intervals import ENDS, RESAMPLES, Estimate, wilson

if TYPE_CHECKING:
    from torch import Tensor


def balanced_accuracy(hits: Sequence[int] | Tensor, counts: Sequence[int] | Tensor) -> Estimate:
    """Return the mean over classes of the accuracy within each class, with its interval.

    Always answering one of ``C`` classes gives ``1 / C``, however frequent it is. A class without
    an image is left out of the mean, as in scikit-learn.

    The interval joins the Wilson intervals ``[l_c, u_c]`` of the classes' accuracies ``a_c`` by the
    method of variance estimates recovery (Zou and Donner, Stat. Med. 27:1693, 2008)::

        mean(a) − √(Σ (a_c − l_c)²) / C   to   mean(a) + √(Σ (u_c − a_c)²) / C

    It is Wilson's own for one class, and has a width where no error was made. It takes the images
    for independent: several images of one person make it too narrow.

    Args:
        hits: Correct answers in each class, integers ``[C]``.
        counts: Images of each class, integers ``[C]``.

    Raises:
        ValueError: If there are no images, or hits and counts are no rates.

    Example:
        >>> e = balanced_accuracy([18, 630], [23, 636])
        >>> round(e.low, 3), round(e.value, 3), round(e.high, 3), e.n
        (0.786, 0.887, 0.947, 659)
    """
    pairs = list(zip(map(int, hits), map(int, counts), strict=True))
    rates = [wilson(right, n) for right, n in pairs if (right, n) != (0, 0)]
    if not rates:
        raise ValueError("no class has an image")
    value = sum(rate.value for rate in rates) / len(rates)
    below = math.hypot(*(rate.value - rate.low for rate in rates)) / len(rates)
    above = math.hypot(*(rate.high - rate.value for rate in rates)) / len(rates)
    low, high = max(0.0, value - below), min(1.0, value + above)
    return Estimate(value, low, high, sum(rate.n for rate in rates))


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
        person: The person in each image, int64 ``[N]``; None if unknown.
        seed: Seed of the 1000 resamples.

    Raises:
        ValueError: If there are no images.

    Example:
        >>> import torch
        >>> labels = torch.tensor([0] * 90 + [1] * 10)
        >>> plain, balanced = rates(labels == 0, labels)
        >>> plain.value, balanced.value, round(plain.low, 3)
        (0.9, 0.5, 0.826)
        >>> three, _ = rates(labels == 0, labels, torch.arange(100) // 40)
        >>> round(three.low, 3)
        0.5
    """
    import torch

    from semveil.rng import generator

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
    drawn = torch.randint(people, (RESAMPLES, people), generator=generator(seed, "people"))
    times = torch.zeros(RESAMPLES, people, dtype=torch.double)
    times.scatter_add_(1, drawn, torch.ones_like(times))
    found, asked = times @ known, times @ shown
    # People among whom a class is missing say nothing of the mean over classes.
    whole = (asked > 0)[:, counts > 0].all(1)
    each = (found / asked)[whole][:, counts > 0]
    ends = torch.tensor(ENDS, dtype=torch.double)

    def widened(estimate: Estimate, resampled: Tensor) -> Estimate:
        if not len(resampled):
            return estimate
        low, high = torch.quantile(resampled, ends).tolist()
        return Estimate(
            estimate.value, min(estimate.low, low), max(estimate.high, high), estimate.n
        )

    return widened(plain, found.sum(1) / asked.sum(1)), widened(balanced, each.mean(1))


def integrity(accepted: Tensor, right: Tensor | None = None) -> dict[str, Estimate]:
    """Return how many messages Bob rejects, and how many he accepts and answers wrongly.

    Args:
        accepted: Which messages he takes for unchanged, bool ``[N]``.
        right: Which answers are right, bool ``[N]``; None if he answers no classes.

    Example:
        >>> import torch
        >>> found = integrity(torch.tensor([True, False]), torch.tensor([False, False]))
        >>> {name: estimate.value for name, estimate in found.items()}
        {'rejected_rate': 0.5, 'undetected_error_rate': 0.5}
    """
    found = {"rejected_rate": wilson(int((~accepted).sum()), len(accepted))}
    if right is not None:
        wrong = int((accepted & ~right).sum())
        found["undetected_error_rate"] = wilson(wrong, len(accepted))
    return found


@METRICS.register
class Accuracy(Rate):
    """Share of images with the right answer."""

    name = title = "accuracy"
    floors = ("chance",)


@METRICS.register
class Chance(Rate):
    """Accuracy of the constant answer: the most frequent class."""

    name = title = "chance"


@METRICS.register
class BalancedAccuracy(Rate):
    """Mean over classes of the accuracy in the class."""

    name = "balanced_accuracy"
    title = "balanced accuracy"
    floors = ("balanced_accuracy_floor",)


@METRICS.register
class AccuracyTargeted(Accuracy):
    """Accuracy of images of the attacked class."""

    name = "accuracy_targeted"
    title = "accuracy, attacked class"


@METRICS.register
class AccuracyOthers(Accuracy):
    """Accuracy of images of the classes that are not attacked."""

    name = "accuracy_others"
    title = "accuracy, other classes"


@METRICS.register
class MisleadingRate(Rate):
    """Share of attacked images that Bob assigns to the target class."""

    name = "misleading_rate"
    title = "misleading rate"
    higher_is_better = False
    floors = ("chance",)


@METRICS.register
class RejectedRate(Rate):
    """Share of messages that Bob rejects: changed ones, false alarms, and frames lost to noise."""

    name = "rejected_rate"
    title = "rejected messages"
    higher_is_better = False


@METRICS.register
class UndetectedErrorRate(Rate):
    """Share of messages that Bob accepts and answers wrongly."""

    name = "undetected_error_rate"
    title = "undetected errors"
    higher_is_better = False


@METRICS.register
class MinimumPsr(Metric):
    """Least PSR that changes Bob's answer to an image: the median over images."""

    name = "minimum_psr_db"
    title = "least PSR"
    unit = "dB"
    decimals = 1
    target = "label"
    tails = (0.05, 0.25, 0.75, 0.95)


@METRICS.register
class VotedAccuracy(Accuracy):
    """Accuracy of Bob's vote over repeated transmissions, without an attack."""

    name = "voted_accuracy"
    title = "accuracy of votes"


@METRICS.register
class CertifiedAccuracy(Accuracy):
    """Share of images whose right vote is certified against every perturbation of this PSR."""

    name = "certified_accuracy"
    title = "certified accuracy"


@METRICS.register
class LabelAccuracy(Accuracy):
    """Accuracy of a classifier of clean images on Eve's reconstructions."""

    name = "label_accuracy"
    title = "judge’s accuracy"
    ceilings = ("label_accuracy_of_originals",)


@METRICS.register
class LabelBalancedAccuracy(BalancedAccuracy):
    """Balanced accuracy of a classifier of clean images on Eve's reconstructions."""

    name = "label_balanced_accuracy"
    title = "judge’s balanced accuracy"
    ceilings = ("label_balanced_accuracy_of_originals",)


@METRICS.register
class LostRate(Rate):
    """Share of images whose file does not fit, is rejected (checksum, tag) or is no image."""

    name = "lost_rate"
    title = "lost images"
    target = "image"
    higher_is_better = False


@METRICS.register
class PermutationRecovered(Rate):
    """Share of a fixed permutation that Eve recovers from messages with known images."""

    name = "permutation_recovered"
    title = "permutation recovered"
