"""Image quality per image, on images rounded to 8 bits, data range 1."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

# An 8-bit image differs from its original by rounding alone at this PSNR: a perfect
# reconstruction counts as this much, not as infinity.
PSNR_CEILING_DB = 10 * math.log10(12 * 255**2)


def _rounded(images: Tensor) -> Tensor:
    return (images.detach().float().clamp(0, 1) * 255).round() / 255


def psnr_db(images: Tensor, originals: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio of every image.

    Args:
        images: Reconstructions, float ``[B, C, H, W]``; clamped to [0, 1] and rounded to 8 bits.
        originals: Originals, float ``[B, C, H, W]`` in [0, 1].

    Returns:
        PSNR in dB, float ``[B]``, at most 58.9 (that of rounding to 8 bits).

    Example:
        >>> psnr_db(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).abs() < 1e-6
        tensor([True])
    """
    error = (_rounded(images) - _rounded(originals)).square().flatten(1).mean(1)
    return (-10 * error.log10()).clamp(max=PSNR_CEILING_DB)


def ssim(images: Tensor, originals: Tensor) -> Tensor:
    """Return the structural similarity of every image (Wang et al., 2004; torchmetrics).

    The Gaussian window has σ = 1.5, and σ = 0.5 for images under 16 pixels, into which the usual
    one does not fit.

    Args:
        images: Reconstructions, float ``[B, C, H, W]``; clamped to [0, 1] and rounded to 8 bits.
        originals: Originals, float ``[B, C, H, W]`` in [0, 1].

    Returns:
        SSIM, float ``[B]``.

    Example:
        >>> x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> ssim(x, x)
        tensor([1., 1.])
    """
    sigma = 0.5 if min(originals.shape[-2:]) < 16 else 1.5
    value = structural_similarity_index_measure(
        _rounded(images), _rounded(originals), sigma=sigma, data_range=1.0, reduction="none"
    )
    return torch.as_tensor(value).reshape(-1)
