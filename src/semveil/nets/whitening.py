"""What networks compute from the training images before training: a whitening convolution."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SIDE = 2
# Added to the patches' variances, so that what hardly varies is not blown up.
_FLOOR = 5e-4
_MOST_IMAGES = 5000


class Prepared(nn.Module, ABC):
    """A module with constants that are computed from the training images before training."""

    @abstractmethod
    def prepare(self, images: Tensor) -> None:
        """Set its constants from training images, uint8 ``[N, C, H, W]``."""


class Whitening(Prepared):
    """Images to uncorrelated maps of equal variance, of both signs; its filters are not trained.

    Filters are the principal components of 2×2 patches over the root of their variances, and the
    same with the opposite sign, as a rectifier follows (Jordan, arXiv 2404.00498). Before
    :meth:`prepare` they are those of white noise.

    Args:
        channels: Channels of the images.
        padded: Whether maps are as large as images, instead of smaller by a pixel.

    Shape:
        images float ``[B, C, H, W]`` in [0, 1] → maps float ``[B, outputs, H, W]``.

    Example:
        >>> Whitening(3)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 24, 31, 31])
    """

    filters: Tensor
    offset: Tensor

    def __init__(self, channels: int, padded: bool = False) -> None:
        super().__init__()
        count = channels * _SIDE**2
        self.outputs, self.padded = 2 * count, padded
        shape = (self.outputs, channels, _SIDE, _SIDE)
        half = torch.eye(count)
        self.register_buffer("filters", torch.cat([half, -half]).reshape(shape))
        self.register_buffer("offset", torch.zeros(self.outputs))
        self.bias = nn.Parameter(torch.zeros(self.outputs))

    @torch.no_grad()
    def prepare(self, images: Tensor) -> None:
        """Set the filters from the patches of training images, uint8 ``[N, C, H, W]``."""
        some = images[:_MOST_IMAGES].cpu().double() / 255
        spread = some.var((0, 2, 3)).mean().sqrt().clamp_min(1e-3)
        mean = some.mean((0, 2, 3))
        patches = F.unfold((some - mean.view(-1, 1, 1)) / spread, _SIDE).transpose(1, 2)
        patches = patches.reshape(-1, patches.shape[-1])
        variances, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        # A vector's sign is its library's choice.
        signs = vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
        half = ((vectors * signs) / (variances.clamp_min(0) + _FLOOR).sqrt()).T / spread
        filters = torch.cat([half, -half]).reshape(self.filters.shape)
        self.filters.copy_(filters)
        self.offset.copy_(-filters.sum((2, 3)) @ mean)

    def forward(self, images: Tensor) -> Tensor:
        """Transform ``[B, C, H, W]``."""
        if self.padded:
            images = F.pad(images, (0, 1, 0, 1), mode="replicate")
        return F.conv2d(images, self.filters, self.offset + self.bias)
