"""Residual encoder and decoder for image transmission, beside the best linear code of patches.

The project's own: residual blocks at a half and a quarter of the resolution, and a linear path
around them that starts as principal components of 4×4 patches, with the least-squares estimate
from the received reals at the other end. What the linear path reaches is where training starts.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.device import full_precision
from semveil.nets.convolutional import ImageShape
from semveil.nets.whitening import Prepared

_PATCH = 4
_MOST_IMAGES = 5000


def _patches(images: Tensor) -> Tensor:
    """Return the patches of uint8 images ``[N, C, H, W]``, double ``[N, P, C·16]`` in [−1, 1]."""
    some = images[:_MOST_IMAGES].cpu().double() / 127.5 - 1
    return F.pixel_unshuffle(some, _PATCH).flatten(2).transpose(1, 2)


def _components(patches: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the mean of patches and the linear code of so many reals, ``[C·16, count]``."""
    flat = patches.flatten(0, 1)
    mean = flat.mean(0)
    variances, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
    variances, vectors = variances.flip(0)[:count], vectors.flip(1)[:, :count]
    # A vector's sign is its library's choice.
    vectors = vectors * vectors.gather(0, vectors.abs().argmax(0, keepdim=True)).sign()
    # Least error over noise: the power of a component goes with its standard deviation.
    scaled = vectors * (variances + 1e-6) ** -0.25
    spare = max(0, count - scaled.shape[1])
    return mean, F.pad(scaled, (0, spare))


class _Block(nn.Module):
    """A normalised residual block whose maps are weighed by their means; small at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(math.gcd(8, channels), channels),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.squeeze = nn.Linear(channels, channels // 4)
        self.excite = nn.Linear(channels // 4, channels)
        self.gain = nn.Parameter(torch.full((channels, 1, 1), 0.1))

    def forward(self, maps: Tensor) -> Tensor:
        change = self.layers(maps)
        weights = torch.sigmoid(self.excite(F.silu(self.squeeze(change.mean((2, 3))))))
        return maps + (self.gain * weights[:, :, None, None]).to(change.dtype) * change


class _Modulate(nn.Module):
    """Scales and shifts maps by what the receiver knows of the noise; nothing at the start."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 32), nn.SiLU(), nn.Linear(32, 2 * channels))
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.layers[-1].bias)  # type: ignore[arg-type]

    def forward(self, maps: Tensor, reliability: Tensor) -> Tensor:
        scale, shift = self.layers(reliability)[:, :, None, None].chunk(2, 1)
        return maps * (1 + scale) + shift


def _body(channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(blocks)))


class ResidualEncoder(Prepared):
    """Images to latents: blocks at a half and a quarter of the resolution, and a linear path.

    Args:
        image_shape: Channels, height, width of the source; sides are multiples of four.
        maps: Reals per 4×4 patch.
        width: Channels at half the resolution; twice as many at a quarter.
        blocks: Blocks at a quarter of the resolution; half as many at a half.

    Shape:
        images float ``[B, C, H, W]`` in [0, 1] → latents float ``[B, maps·H·W/16]``; the reals of
        one patch are adjacent.

    Example:
        >>> ResidualEncoder((3, 32, 32), 16, width=16)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 1024])
    """

    mean: Tensor

    def __init__(
        self, image_shape: ImageShape, maps: int, width: int = 64, blocks: int = 2
    ) -> None:
        super().__init__()
        channels = image_shape[0]
        self.maps = maps
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * channels, width, 3, padding=1),
            _body(width, (blocks + 1) // 2),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * width, 2 * width, 1),
            _body(2 * width, blocks),
            nn.Conv2d(2 * width, maps, 1),
        )
        self.linear = nn.Linear(channels * _PATCH**2, maps, bias=False)
        self.register_buffer("mean", torch.zeros(channels * _PATCH**2))

    @torch.no_grad()
    def prepare(self, images: Tensor) -> None:
        """Set the linear path from training images, uint8 ``[N, C, H, W]``."""
        mean, code = _components(_patches(images), self.maps)
        self.mean.copy_(mean)
        self.linear.weight.copy_(code.T)
        # At first the networks beside it add next to nothing.
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` into ``[B, d]``."""
        patches = F.pixel_unshuffle(2 * images - 1, _PATCH).permute(0, 2, 3, 1)
        found = self.layers(2 * images - 1).permute(0, 2, 3, 1).float()
        with full_precision(images.device):
            found = found + self.linear(patches.float() - self.mean)
        return found.flatten(1)


class ResidualDecoder(Prepared):
    """Received latents to images: the encoder mirrored, told how reliable they are.

    Arguments are those of :class:`ResidualEncoder`.

    Shape:
        features float ``[B, maps·H·W/16 + 1]``, the last one the reliability → images float
        ``[B, C, H, W]``; in training not clipped to [0, 1].

    Example:
        >>> ResidualDecoder((3, 32, 32), 16, width=16)(torch.zeros(2, 1025)).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(
        self, image_shape: ImageShape, maps: int, width: int = 64, blocks: int = 2
    ) -> None:
        super().__init__()
        channels, height, length = image_shape
        self.start = height // _PATCH, length // _PATCH, maps
        self.enter = nn.Conv2d(maps, 2 * width, 1)
        self.low = _body(2 * width, blocks)
        self.grow = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1), nn.PixelShuffle(2))
        self.high = _body(width, (blocks + 1) // 2)
        self.leave = nn.Sequential(nn.Conv2d(width, 4 * channels, 3, padding=1), nn.PixelShuffle(2))
        self.modulate = nn.ModuleList([_Modulate(2 * width), _Modulate(width)])
        self.linear = nn.Linear(maps, channels * _PATCH**2)

    @torch.no_grad()
    def prepare(self, images: Tensor) -> None:
        """Set the linear path from training images, uint8 ``[N, C, H, W]``."""
        patches = _patches(images)
        maps = self.start[-1]
        mean, code = _components(patches, maps)
        sent = (patches - mean) @ code
        power = sent.square().mean((1, 2), keepdim=True).clamp_min(1e-12)
        sent = (sent * (0.5 / power).sqrt()).flatten(0, 1)
        wanted = (patches - mean).flatten(0, 1)
        # What Bob gets is the estimate of what was sent: the reals of least error, given those.
        matrix = torch.linalg.lstsq(sent, wanted).solution
        self.linear.weight.copy_(matrix.T)
        self.linear.bias.copy_(mean)
        last = self.leave[0]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Reconstruct ``[B, C, H, W]`` from ``[B, d + 1]``."""
        reliability = features[:, -1:]
        received = features[:, :-1].unflatten(1, self.start)
        maps = self.modulate[0](self.enter(received.permute(0, 3, 1, 2)), reliability)
        maps = self.modulate[1](self.grow(self.low(maps)), reliability)
        detail = self.leave(self.high(maps)).float()
        with full_precision(features.device):
            coarse = self.linear(received.float()).permute(0, 3, 1, 2)
        image = (F.pixel_shuffle(coarse, _PATCH) + detail + 1) / 2
        return image if self.training else image.clamp(0, 1)
