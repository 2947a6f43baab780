"""The convolutional encoder and the two heads of a multi-task link."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

ImageShape = tuple[int, int, int]


def _halvings(shape: ImageShape) -> int:
    """Return the stages of stride two that leave about seven pixels (small images: four)."""
    side = min(shape[1:])
    if side < 16:
        return 1
    return max(2, round(math.log2(side / 8)))


def _sizes(shape: ImageShape) -> list[tuple[int, int]]:
    """Return height and width before the first stage and after each one."""
    sizes = [shape[1:]]
    for _ in range(_halvings(shape)):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


class ConvEncoder(nn.Module):
    """Images to latents: stages of 3×3 convolutions that halve the map, then one linear layer.

    Our reading: the paper of the multi-task link names convolutions and a latent dimension only.
    There is no batch normalisation, so an image's latent depends on that image alone.

    Args:
        image_shape: Channels, height, width of the source.
        latent_dim: Reals in the latent, ``d``.
        width: Channels after the first stage; doubled at each later one.

    Shape:
        images float ``[B, C, H, W]`` in [0, 1] → latents float ``[B, d]``.

    Example:
        >>> import torch
        >>> ConvEncoder((1, 28, 28), latent_dim=16, width=8)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 16])
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = image_shape[0]
        sizes = _sizes(image_shape)
        if channels > 1:
            # Colour images get a layer at full resolution first.
            layers += [nn.Conv2d(channels, width // 2, 3, padding=1), nn.ReLU()]
            channels = width // 2
        for stage in range(len(sizes) - 1):
            out = width << stage
            layers += [nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.ReLU()]
            channels = out
        height, length = sizes[-1]
        self.features = nn.Sequential(*layers)
        self.project = nn.Linear(channels * height * length, latent_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` into ``[B, d]``."""
        # Centred inputs train faster; the constant does not depend on the data set.
        return self.project(self.features(2 * images - 1).flatten(1))


class Reconstructor(nn.Module):
    """Observations to images: one linear layer, then the encoder's stages in reverse.

    The final sigmoid covers the whole range of the images, [0, 1].

    Args:
        inputs: Reals observed per image.
        image_shape: Channels, height, width of the reconstruction.
        width: Channels of the last hidden map.

    Shape:
        observations float ``[B, inputs]`` → images float ``[B, C, H, W]`` in [0, 1].

    Example:
        >>> import torch
        >>> Reconstructor(17, (3, 32, 32), width=8)(torch.zeros(2, 17)).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(self, inputs: int, image_shape: ImageShape, width: int = 32) -> None:
        super().__init__()
        sizes = _sizes(image_shape)
        stages = len(sizes) - 1
        channels = width << (stages - 1)
        self.start = (channels, *sizes[-1])
        self.expand = nn.Linear(inputs, channels * sizes[-1][0] * sizes[-1][1])
        layers: list[nn.Module] = [nn.ReLU()]
        for stage in reversed(range(stages)):
            out = width << max(stage - 1, 0)
            height, length = sizes[stage]
            layers += [
                nn.ConvTranspose2d(
                    channels,
                    out,
                    3,
                    stride=2,
                    padding=1,
                    output_padding=((height + 1) % 2, (length + 1) % 2),
                ),
                nn.ReLU(),
            ]
            channels = out
        layers += [nn.Conv2d(channels, image_shape[0], 3, padding=1), nn.Sigmoid()]
        self.stages = nn.Sequential(*layers)

    def forward(self, observations: Tensor) -> Tensor:
        """Reconstruct ``[B, C, H, W]`` from ``[B, inputs]``."""
        return self.stages(self.expand(observations).unflatten(1, self.start))


class ResidualReconstructor(nn.Module):
    """Observations to images: residual blocks at two resolutions, and a linear map beside them.

    The blocks work at the size of the encoder's last map and at twice that size, where pixels are
    cheap; sub-pixel convolutions (Shi et al., CVPR 2016) lead to the next size. What the linear map
    reaches alone is where training starts.

    Args:
        inputs: Reals observed per image.
        image_shape: Channels, height, width of the reconstruction.
        width: Channels of the smallest map; half as many at each later one.

    Shape:
        observations float ``[B, inputs]`` → images float ``[B, C, H, W]``; in training not
        clipped to [0, 1], where clipping would leave no gradient.

    Example:
        >>> ResidualReconstructor(17, (3, 32, 32), width=16)(torch.zeros(2, 17)).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(self, inputs: int, image_shape: ImageShape, width: int = 48) -> None:
        super().__init__()
        self.image_shape = image_shape
        channels, height, length = image_shape
        stages = _halvings(image_shape)
        # Maps of whole blocks of pixels, which are cut to the image at the end.
        self.start = (width, -(-height // 2**stages), -(-length // 2**stages))
        self.linear = nn.Linear(inputs, channels * height * length)
        self.expand = nn.Sequential(nn.Linear(inputs, 4 * width), nn.GELU())
        self.spread = nn.Linear(4 * width, width * self.start[1] * self.start[2])
        layers: list[nn.Module] = [Refine(width), Refine(width)]
        for _ in range(stages - 1):
            half = max(width // 2, 8)
            layers += [nn.Conv2d(width, 4 * half, 1), nn.PixelShuffle(2), Refine(half)]
            width = half
        layers += [nn.GELU(), nn.Conv2d(width, 4 * channels, 3, padding=1), nn.PixelShuffle(2)]
        self.stages = nn.Sequential(*layers)

    def forward(self, observations: Tensor) -> Tensor:
        """Reconstruct ``[B, C, H, W]`` from ``[B, inputs]``."""
        _, height, length = self.image_shape
        maps = self.spread(self.expand(observations)).unflatten(1, self.start)
        maps = maps.contiguous(memory_format=torch.channels_last)
        detail: Tensor = self.stages(maps)[..., :height, :length]
        image = self.linear(observations).unflatten(1, self.image_shape) + detail
        return image if self.training else image.clamp(0, 1)


class Refine(nn.Module):
    """A residual block before which its input is normalised; it starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(4, channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, maps: Tensor) -> Tensor:
        """Transform ``[B, channels, H, W]``."""
        return maps + self.layers(maps)
