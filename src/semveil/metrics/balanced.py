"""Balanced accuracy: what an answer is worth where one class is much more frequent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from semveil.metrics.intervals import Estimate, wilson


def balanced_accuracy(hits: Sequence[int] | Tensor, counts: Sequence[int] | Tensor) -> Estimate:
    """Return the mean over classes of the accuracy within each class, with its interval.

    Always answering one of ``C`` classes gives ``1 / C``, however frequent it is. A class without
    an image has no accuracy and is left out of the mean, as in scikit-learn.

    The interval joins the Wilson intervals ``[l_c, u_c]`` of the classes' accuracies ``a_c`` by the
    method of variance estimates recovery (Zou and Donner, Stat. Med. 27:1693, 2008)::

        mean(a) − √(Σ (a_c − l_c)²) / C   to   mean(a) + √(Σ (u_c − a_c)²) / C

    It is inside [0, 1], is Wilson's own for one class, and has a width where no error was made.
    It takes the images for independent: several images of one person make it too narrow.

    Args:
        hits: Correct answers in each class, integers ``[C]``.
        counts: Images of each class, integers ``[C]``.

    Returns:
        The balanced accuracy; its sample size is that of all classes together.

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
