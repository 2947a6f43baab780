"""What a reconstructor reaches who receives nothing: the floor of every metric of images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from semveil.metrics.base import ImageMetric
from semveil.metrics.intervals import Estimate

if TYPE_CHECKING:
    from torch import Tensor


def uninformed(mean: Tensor) -> Iterator[Tensor]:
    """Yield images that say nothing of what was sent: the mean image, sharper, constants."""
    yield mean
    yield mean.logit(1e-6).mul(2).sigmoid()
    yield mean * 0
    yield mean.mean((1, 2), keepdim=True).expand_as(mean)
    yield mean * 0 + 1


def image_floor(metric: ImageMetric, mean: Tensor, originals: Tensor, seed: int) -> Estimate:
    """Return what the best uninformed image reaches in a metric, as the mean over the images.

    A black image has an SSIM of 0.43 on MNIST: a value says little without its floor.

    Args:
        metric: Metric of images.
        mean: Mean image of Eve's own images, float ``[C, H, W]`` in [0, 1].
        originals: Images that are to be reconstructed, float ``[N, C, H, W]``.
        seed: Seed of the bootstrap.

    Example:
        >>> import torch
        >>> from semveil.metrics import METRICS
        >>> black = torch.zeros(4, 1, 8, 8)
        >>> image_floor(METRICS.get("ssim")(), black[0] + 0.5, black, seed=0).value
        1.0
    """
    originals = originals[: metric.sample]
    found = [metric(image.expand_as(originals), originals) for image in uninformed(mean)]
    sign = 1 if metric.higher_is_better else -1
    best = max(found, key=lambda values: sign * float(values.double().mean()))
    return metric.estimates(best, seed)[metric.name]
