"""Structural similarity per image, on images rounded to 8 bits, data range 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semveil.metrics.base import METRICS, ImageMetric
from semveil.metrics.psnr import rounded

if TYPE_CHECKING:
    from torch import Tensor


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
        >>> import torch
        >>> x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> ssim(x, x)
        tensor([1., 1.])
    """
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    value = structural_similarity_index_measure(
        rounded(images),
        rounded(originals),
        sigma=deviation(originals),
        data_range=1.0,
        reduction="none",
    )
    return torch.as_tensor(value).reshape(-1)


def deviation(images: Tensor) -> float:
    """Return σ of the window for images of their size, pixels."""
    return 0.5 if min(images.shape[-2:]) < 16 else 1.5


@METRICS.register
class Ssim(ImageMetric):
    """Structural similarity on images rounded to 8 bits."""

    name = "ssim"
    title = "SSIM"
    source = "Wang et al., IEEE Trans. Image Process. 13:600, 2004"
    bounds = (-1.0, 1.0)
    axis = (0.0, 1.0)
    # Whole test sets would take longer than the Eves.
    sample = 500

    def per_image(self, images: Tensor, originals: Tensor) -> Tensor:
        """Return SSIM, float ``[B]``."""
        return ssim(images, originals)
