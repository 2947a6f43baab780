"""What inverters minimise: a loss for each metric by which reconstructions are scored."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from semveil.metrics.structural_similarity import deviation

_BINS = 20
# What the squared error weighs beside information, which is blind to the mean.
_ERROR = 2.0


def log_error(images: Tensor, originals: Tensor) -> Tensor:
    """Return the mean logarithm of the squared error of each image: the negative of mean PSNR."""
    return (images - originals).square().flatten(1).mean(1).add(1e-5).log().mean()


def dissimilarity(images: Tensor, originals: Tensor) -> Tensor:
    """Return one minus the mean SSIM."""
    return 1 - similarity(images, originals).mean()


def similarity(images: Tensor, originals: Tensor) -> Tensor:
    """Return the structural similarity of every image, ``[B]``, fast enough for training.

    It equals that of the metric but for the rounding of pixels there; windows are matrix products.
    """
    down, across = (_windows(side, images) for side in images.shape[-2:])

    def mean(values: Tensor) -> Tensor:
        return down @ values @ across.T

    mine, theirs = mean(images), mean(originals)
    common, both = mine * theirs, mine.square() + theirs.square()
    spread = mean(images.square() + originals.square()) - both
    shared = mean(images * originals) - common
    found = (2 * common + 1e-4) * (2 * shared + 9e-4) / ((both + 1e-4) * (spread + 9e-4))
    return found.flatten(1).mean(1)


def _windows(side: int, images: Tensor) -> Tensor:
    """Return the Gaussian windows along a side, ``[side, side]``; the edge is a mirror."""
    sigma = deviation(images)
    reach = int(3.5 * sigma + 0.5)
    places = torch.arange(-reach, side + reach, dtype=images.dtype, device=images.device)
    distances = places - places[reach : side + reach, None]
    weights = torch.exp(-0.5 * (distances / sigma).square()) * (distances.abs() <= reach)
    reflected = F.pad(torch.eye(side, device=images.device)[None], (reach, reach), mode="reflect")
    return weights / weights.sum(1, keepdim=True) @ reflected[0].T.to(images.dtype)


def missing_information(images: Tensor, originals: Tensor) -> Tensor:
    """Return the negative excess mutual information in bits, and the squared error.

    The grey levels of a reconstruction belong to the two nearest bins in proportion, so that the
    histogram has a gradient; the bins are those of :func:`semveil.metrics.information.mi_bits`.

    Example:
        >>> x = torch.rand(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> bool(missing_information(x, x) < missing_information(x.flip(0), x))
        True
    """
    hard = _bins(originals)
    place = (images.float().clamp(0, 1).flatten(1) * _BINS - 0.5).clamp(0, _BINS - 1)
    pairs = torch.stack([hard, hard.roll(-1, 0)])
    joint: Tensor = _Histograms.apply(place, pairs) / hard.shape[1]
    apart = joint.sum(3, keepdim=True) * joint.sum(2, keepdim=True)
    ratio = (joint.clamp(min=1e-9) / apart.clamp(min=1e-9)).log()
    shared, by_chance = (joint * ratio).sum((2, 3)) / math.log(2)
    return _ERROR * F.mse_loss(images, originals) - (shared - by_chance).mean()


def _bins(images: Tensor) -> Tensor:
    grey = (images.clamp(0, 1) * 255).round().long().flatten(1)
    return (grey * _BINS // 255).clamp(max=_BINS - 1)


class _Histograms(torch.autograd.Function):
    """Joint histograms of places between bins and of whole bins: half the time of autograd's."""

    @staticmethod
    def forward(ctx: Any, place: Tensor, pairs: Tensor) -> Tensor:
        """Count places ``[B, P]`` with each of some bins ``[K, B, P]``: ``[K, B, bins, bins]``."""
        tables = pairs.shape[:2]
        size = tables.numel() * _BINS**2
        lower = place.long().clamp(max=_BINS - 2)
        image = torch.arange(tables.numel(), device=place.device).view(*tables, 1)
        cell = ((image * _BINS + pairs) * _BINS + lower).flatten()
        upper = (place - lower).expand_as(pairs).flatten()
        joint = torch.bincount(cell, 1 - upper, size)
        joint[1:] += torch.bincount(cell, upper, size)[:-1]
        ctx.save_for_backward(cell)
        return joint.view(*tables, _BINS, _BINS)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Return the slope of each place's two cells, over all tables."""
        (cell,) = ctx.saved_tensors
        slope = grad.flatten().diff(append=grad.new_zeros(1))
        return slope[cell].view(*grad.shape[:2], -1).sum(0), None


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "log-mse": log_error,
    "ssim": dissimilarity,
    "mi": missing_information,
}
