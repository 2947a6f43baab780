"""Semantic encoder and decoder of MobileSC, and of the two systems it is compared with.

All three share the outer layers of OFDM-guided JSCC (Yang, Bian, Kim, arXiv 2109.05194); MobileSC
(Nan et al., arXiv 2305.07220) changes the body between them. With one image channel, 64 channels
after the first layer and 12 in the features, the numbers of parameters are those of that paper's
Table III: with two residual blocks, four inverted residuals, or four SemBlocks (whose decoder has
two parameters fewer than published).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from semveil.errors import SemveilError
from semveil.nets.blocks import Kind, body
from semveil.nets.convolutional import ImageShape

MapsShape = tuple[int, int, int]


def maps_shape(image_shape: ImageShape, channels: int) -> MapsShape:
    """Return the shape of the features of one image as maps.

    Images are padded to sides that are multiples of eight (MNIST's 28 to 32, as the published
    six OFDM symbols need), and halved twice.

    Raises:
        SemveilError: If a side is below eight pixels.

    Example:
        >>> maps_shape((1, 28, 28), 12), maps_shape((3, 64, 48), 12)
        ((12, 8, 8), (12, 16, 12))
    """
    _, height, width = image_shape
    if min(height, width) < 8:
        raise SemveilError(
            f"semantic encoders need images of at least 8×8 pixels, not {height}×{width}"
        )
    return channels, -(-height // 8) * 2, -(-width // 8) * 2


def _margins(image_shape: ImageShape) -> tuple[int, int, int, int]:
    """Return the padding on the left, right, top and bottom."""
    high, wide = (-side % 8 for side in image_shape[1:])
    return wide // 2, wide - wide // 2, high // 2, high - high // 2


def _normalised(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class SemanticEncoder(nn.Module):
    """Images to features: two convolutions of stride two, then a body of blocks.

    Args:
        image_shape: Channels, height, width of the source.
        channels: Channels of the features.
        width: Channels of the first convolution; the body has four times as many.
        blocks: Blocks in the body.
        kind: Kind of the blocks, see :mod:`semveil.nets.blocks`.

    Attributes:
        maps: Shape of the features of one image as maps, see :func:`maps_shape`.

    Shape:
        images float ``[B, C, H, W]`` in [0, 1] → features float ``[B, prod(maps)]``, channel by
        channel.

    Raises:
        SemveilError: If a side is below eight pixels.
        ValueError: If the kind is unknown, or the width does not fit it.

    Example:
        >>> encoder = SemanticEncoder((1, 28, 28), channels=12, width=4)
        >>> encoder(torch.zeros(2, 1, 28, 28)).shape, encoder.maps
        (torch.Size([2, 768]), (12, 8, 8))
    """

    def __init__(
        self,
        image_shape: ImageShape,
        channels: int,
        width: int = 64,
        blocks: int = 4,
        kind: Kind = "semblock",
    ) -> None:
        super().__init__()
        self.maps = maps_shape(image_shape, channels)
        self.margins = _margins(image_shape)
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(2),
            nn.Conv2d(image_shape[0], width, 5, bias=False),
            *_normalised(width),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            *_normalised(2 * width),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, bias=False),
            *_normalised(4 * width),
            body(kind, 4 * width, blocks),
            nn.Conv2d(4 * width, channels, 3, padding=1, bias=False),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` into ``[B, prod(maps)]``."""
        # The padding is black.
        whole = functional.pad(2 * images - 1, self.margins, value=-1.0)
        return self.layers(whole).flatten(1)


class SemanticDecoder(nn.Module):
    """Features to images: a body of blocks, then two transposed convolutions of stride two.

    The published code ends in ``2·sigmoid − 1`` for images in [−1, 1], which equals a sigmoid
    for images in [0, 1]. Arguments, attributes and errors are those of :class:`SemanticEncoder`.

    Shape:
        features float ``[B, prod(maps)]``, as the encoder gives them → images float
        ``[B, C, H, W]`` in [0, 1].

    Example:
        >>> SemanticDecoder((1, 28, 28), channels=12, width=4)(torch.zeros(2, 768)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(
        self,
        image_shape: ImageShape,
        channels: int,
        width: int = 64,
        blocks: int = 4,
        kind: Kind = "semblock",
    ) -> None:
        super().__init__()
        self.maps = maps_shape(image_shape, channels)
        self.margins = _margins(image_shape)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 4 * width, 3, padding=1, bias=False),
            body(kind, 4 * width, blocks),
            _doubling(4 * width, 2 * width),
            *_normalised(2 * width),
            _doubling(2 * width, width),
            *_normalised(width),
            nn.ReflectionPad2d(2),
            nn.Conv2d(width, image_shape[0], 5),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Reconstruct ``[B, C, H, W]`` from ``[B, prod(maps)]``."""
        whole = self.layers(features.unflatten(1, self.maps))
        cropped = functional.pad(whole, tuple(-margin for margin in self.margins))
        # bfloat16 would round the sigmoid's output near white to steps of a whole grey level.
        return torch.sigmoid(cropped.float())


def _doubling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False)
