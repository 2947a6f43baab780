"""A flow that turns the mean of the images that fit an observation into one of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.nets.convolutional import ImageShape, Refine

_WIDTH = 24
_NOISE = 0.1


class Velocity(nn.Module):
    """Velocity of a picture on its way from its mean: a small U-Net at a half and a quarter.

    Shape:
        pictures and means float ``[B, C, H, W]``, times float ``[B]`` in [0, 1] → ``[B, C, H, W]``.
    """

    def __init__(self, image_shape: ImageShape, width: int = _WIDTH) -> None:
        super().__init__()
        channels = image_shape[0]
        self.enter = nn.Conv2d(8 * channels, width, 3, padding=1)
        self.time = nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, 2 * width))
        self.before, self.after = Refine(width), Refine(width)
        self.down = nn.Conv2d(width, 2 * width, 2, stride=2)
        self.deep = nn.Sequential(Refine(2 * width), Refine(2 * width))
        self.up = nn.Sequential(nn.Conv2d(2 * width, 4 * width, 1), nn.PixelShuffle(2))
        self.leave = nn.Sequential(nn.SiLU(), nn.Conv2d(width, 4 * channels, 3, padding=1))

    def forward(self, pictures: Tensor, means: Tensor, times: Tensor) -> Tensor:
        """Return velocities ``[B, C, H, W]``."""
        height, length = pictures.shape[2:]
        both = F.pad(torch.cat([pictures, means], 1), (0, -length % 4, 0, -height % 4))
        both = F.pixel_unshuffle(both, 2).contiguous(memory_format=torch.channels_last)
        maps = self.before(self.enter(2 * both - 1))
        deep = self.down(maps) + self.time(times[:, None])[:, :, None, None]
        maps = self.after(maps + self.up(self.deep(deep)))
        return F.pixel_shuffle(self.leave(maps), 2)[..., :height, :length]


class Flow(nn.Module):
    """Observations to images: an inverter's picture, carried along a learned velocity.

    The posterior-mean rectified flow of Ohayon et al. (ICLR 2025): straight paths from the
    inverter's picture and a little noise to the original; a few Euler steps follow them.

    Args:
        inverter: Observations ``[B, inputs]`` → means ``[B, C, H, W]``; it is not trained further.
        image_shape: Channels, height, width.
        steps: Euler steps.

    Shape:
        observations float ``[B, inputs]`` → images float ``[B, C, H, W]`` in [0, 1].

    Example:
        >>> from semveil.nets.convolutional import Reconstructor
        >>> shape = (1, 28, 28)
        >>> Flow(Reconstructor(17, shape, width=8), shape).eval()(torch.zeros(2, 17)).shape
        torch.Size([2, 1, 28, 28])
    """

    def __init__(self, inverter: nn.Module, image_shape: ImageShape, steps: int = 4) -> None:
        super().__init__()
        self.inverter, self.steps = inverter.requires_grad_(False), steps
        self.velocity = Velocity(image_shape)

    def train(self, mode: bool = True) -> Flow:
        """Set the mode of training; the inverter stays as it is."""
        super().train(mode)
        self.inverter.eval()
        return self

    def start(self, observations: Tensor, source: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return means and where paths start, both ``[B, C, H, W]``."""
        with torch.no_grad():
            means = self.inverter(observations).float()
        noise = torch.randn(means.shape, generator=source, device=means.device)
        return means, means + _NOISE * noise

    def error(self, observations: Tensor, images: Tensor, source: torch.Generator) -> Tensor:
        """Return the squared error of the velocity at random points of the paths, a scalar."""
        means, first = self.start(observations, source)
        times = torch.rand(len(images), generator=source, device=images.device)
        places = first + times[:, None, None, None] * (images - first)
        return F.mse_loss(self.velocity(places, means, times).float(), images - first)

    def forward(self, observations: Tensor) -> Tensor:
        """Return one image for each observation; the same for the same batch."""
        source = torch.Generator(observations.device).manual_seed(0)
        means, pictures = self.start(observations, source)
        for step in range(self.steps):
            times = torch.full((len(means),), step / self.steps, device=means.device)
            pictures = pictures + self.velocity(pictures, means, times).float() / self.steps
        return pictures.clamp(0, 1)
