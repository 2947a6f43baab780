"""The pre-activation residual network of He, Zhang, Ren and Sun (arXiv 1603.05027)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn


class PreActBlock(nn.Module):
    """Batch normalisation, ReLU and convolution, twice, with a residual connection.

    Where the shape changes, the shortcut is a 1×1 convolution after the first normalisation and
    ReLU, as in the published network.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.before = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True))
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        self.shortcut = (
            None
            if stride == 1 and inputs == outputs
            else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Transform ``[B, inputs, H, W]``."""
        activated = self.before(maps)
        shortcut = maps if self.shortcut is None else self.shortcut(activated)
        total: Tensor = self.layers(activated) + shortcut
        return total


class PreActResNet(nn.Module):
    """Maps to logits: a convolution, stages of pre-activation blocks, the mean over all pixels.

    The input is images, or received features as maps. Channels double from stage to stage. The
    last stages halve the maps, as many as bring the shorter side closest to four pixels: three of
    four stages for sides of 32, as published for CIFAR-10, and one for sides of eight.

    Args:
        shape: Channels, height, width of the input.
        classes: Number of classes.
        width: Channels of the first stage.
        blocks: Blocks of each stage; (2, 2, 2, 2) is the 18-layer network.

    Shape:
        maps float ``[B, *shape]`` → logits float ``[B, classes]``.

    Example:
        >>> import torch
        >>> PreActResNet((12, 8, 8), classes=10, width=4)(torch.zeros(2, 12, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        width: int = 64,
        blocks: Sequence[int] = (2, 2, 2, 2),
    ) -> None:
        super().__init__()
        stages = len(blocks)
        halvings = min(stages - 1, max(0, round(math.log2(min(shape[1:]) / 4))))
        layers: list[nn.Module] = [nn.Conv2d(shape[0], width, 3, padding=1, bias=False)]
        channels = width
        for stage, count in enumerate(blocks):
            stride = 2 if stage >= stages - halvings else 1
            for number in range(count):
                layers.append(PreActBlock(channels, width << stage, stride if number == 0 else 1))
                channels = width << stage
        layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, classes))

    def forward(self, maps: Tensor) -> Tensor:
        """Classify ``[B, C, H, W]``."""
        logits: Tensor = self.layers(maps)
        return logits
