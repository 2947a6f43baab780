"""Histogram mutual information between images and reconstructions.

A histogram of a few thousand grey levels finds information where there is none, and the more bins
the more: a figure says nothing without its floor (an unrelated image) and its ceiling (the image
itself) on the same images. It does not see structure either: an inverted image has all of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from semveil.metrics.base import METRICS, Metric

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# Joint histograms of 100 × 100 bins for this many images at once take 80 MB.
_CHUNK = 1000


def mi_bits(images: Tensor, others: Tensor, bins: int = 20) -> Tensor:
    """Return the histogram mutual information of every image with its counterpart.

    Both are rounded to 8 bits; ``bins`` equal bins cover [0, 1]; the pixels of all channels are
    one sample. The estimate is the plug-in one, with its positive bias: see :func:`derangement`
    for the floor. No paper of the field defines its "MI leakage"; 20 bins and bits are our
    reading.

    Args:
        images: float ``[B, C, H, W]`` in [0, 1].
        others: Reconstructions, float ``[B, C, H, W]``; clamped to [0, 1].
        bins: Bins per axis.

    Returns:
        Mutual information in bits, float ``[B]``, within 0 … log2(bins).

    Raises:
        ValueError: If the shapes differ, or there are fewer than two bins.

    Example:
        >>> import torch
        >>> x = torch.tensor([0.0, 0.0, 1.0, 1.0]).reshape(1, 1, 2, 2)
        >>> mi_bits(x, 1 - x), mi_bits(x, torch.zeros_like(x))
        (tensor([1.]), tensor([0.]))
    """
    one, other, both = _entropies(images, others, bins, whole_range=True)
    return ((one + other - both) / math.log(2)).clamp(min=0).float()


def nmi(images: Tensor, others: Tensor, bins: int = 100) -> Tensor:
    """Return the normalised mutual information ``(H(X) + H(Y)) / H(X, Y)`` of every image.

    As scikit-image defines it (Studholme et al., 1999): 1 for independence, 2 for equality, and
    the bins cover the range that each image has. Two constant images, for which the quotient is
    0/0, count as independent. Arguments and errors are those of :func:`mi_bits`.

    Example:
        >>> import torch
        >>> x = torch.linspace(0, 1, 16).reshape(1, 1, 4, 4)
        >>> nmi(x, x)
        tensor([2.])
    """
    one, other, both = _entropies(images, others, bins, whole_range=False)
    ratio = (one + other) / both.clamp(min=1e-12)
    return ratio.where(both > 1e-12, 1.0).float()


def derangement(n: int, source: torch.Generator) -> Tensor:
    """Return a permutation, int ``[n]``, that leaves nothing in its place: for a metric's floor."""
    import torch

    if n < 2:
        raise ValueError(f"{n} images cannot all change places")
    order = torch.randperm(n, generator=source, device=source.device)
    rows = torch.empty_like(order)
    rows[order] = order.roll(1)
    return rows


@METRICS.register
class MutualInformation(Metric):
    """Histogram mutual information of an image and its reconstruction, 20 grey levels."""

    name = "mi_bits_20"
    title = "mutual information"
    unit = "bits"
    bounds = (0.0, math.log2(20))
    floors = ("mi_bits_20_floor",)
    ceilings = ("mi_bits_20_ceiling",)


@METRICS.register
class ExcessInformation(Metric):
    """Mutual information of an image with its own reconstruction minus that with another's."""

    name = "mi_excess_bits_20"
    title = "leakage"
    unit = "bits"
    floor_value = 0.0


@METRICS.register
class NormalisedInformation(Metric):
    """Normalised mutual information of an image and its reconstruction, 100 grey levels."""

    name = "nmi_100"
    title = "normalised mutual information"
    source = "Studholme et al., Pattern Recognition 32:71, 1999; scikit-image"
    bounds = (1.0, 2.0)
    floors = ("nmi_100_floor",)
    ceilings = ("nmi_100_ceiling",)


def _entropies(
    images: Tensor, others: Tensor, bins: int, whole_range: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the entropies of the one, of the other and of both, in nats, double ``[B]``."""
    import torch

    if images.shape != others.shape:
        raise ValueError(f"images {list(images.shape)} and others {list(others.shape)} differ")
    if bins < 2:
        raise ValueError(f"{bins} bins tell nothing apart")

    def entropy(shares: Tensor) -> Tensor:
        return torch.special.entr(shares).sum(1)

    def of(some: Tensor, more: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        one, other = _levels(some, bins, whole_range), _levels(more, bins, whole_range)
        cells = bins * bins
        image = torch.arange(len(one), device=one.device)[:, None]
        pairs = (image * cells + one * bins + other).flatten()
        joint = pairs.bincount(minlength=len(one) * cells).reshape(len(one), bins, bins)
        table = joint.double() / one.shape[1]
        return entropy(table.sum(2)), entropy(table.sum(1)), entropy(table.flatten(1))

    parts = [of(*pair) for pair in zip(images.split(_CHUNK), others.split(_CHUNK), strict=True)]
    one, other, both = (torch.cat(part) for part in zip(*parts, strict=True))
    return one, other, both


def _levels(images: Tensor, bins: int, whole_range: bool) -> Tensor:
    """Return the bin of every pixel, int ``[B, C·H·W]``; the last bin holds its upper end."""
    grey = (images.detach().float().clamp(0, 1) * 255).round().long().flatten(1)
    if whole_range:
        return (grey * bins // 255).clamp(max=bins - 1)
    low, high = grey.amin(1, keepdim=True), grey.amax(1, keepdim=True)
    return ((grey - low) * bins // (high - low).clamp(min=1)).clamp(max=bins - 1)
