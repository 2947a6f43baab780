"""Peak signal-to-noise ratio per image, on images rounded to 8 bits, data range 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from semveil.metrics.base import METRICS, ImageMetric

if TYPE_CHECKING:
    from torch import Tensor

# An 8-bit image differs from its original by rounding alone at this PSNR: a perfect
# reconstruction counts as this much, not as infinity.
PSNR_CEILING_DB = 10 * math.log10(12 * 255**2)


def rounded(images: Tensor) -> Tensor:
    """Return images as a screen shows them: clamped to [0, 1], on 256 levels."""
    return (images.detach().float().clamp(0, 1) * 255).round() / 255


def psnr_db(images: Tensor, originals: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of every image.

    Args:
        images: Reconstructions, float ``[B, C, H, W]``; clamped to [0, 1] and rounded to 8 bits.
        originals: Originals, float ``[B, C, H, W]`` in [0, 1].

    Returns:
        PSNR in dB, float ``[B]``, at most 58.9 (that of rounding to 8 bits).

    Example:
        >>> import torch
        >>> psnr_db(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).abs() < 1e-6
        tensor([True])
    """
    error = (rounded(images) - rounded(originals)).square().flatten(1).mean(1)
    return (-10 * error.log10()).clamp(max=PSNR_CEILING_DB)


@METRICS.register
class Psnr(ImageMetric):
    """Peak signal-to-noise ratio on images rounded to 8 bits."""

    name = "psnr_db"
    title = "PSNR"
    unit = "dB"
    decimals = 2
    bounds = (0.0, PSNR_CEILING_DB)
    # Bob's worst images, and the images that Eve reconstructs best.
    tails = (0.05, 0.95)
    # Older records hold the mean image's alone.
    floors = ("psnr_db_floor", "psnr_mean_image_db")

    def per_image(self, images: Tensor, originals: Tensor) -> Tensor:
        """Return PSNR in dB, float ``[B]``."""
        return psnr_db(images, originals)
