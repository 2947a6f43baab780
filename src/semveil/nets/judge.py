"""A small image classifier whose hidden maps serve as a perceptual distance."""

from __future__ import annotations

from torch import Tensor, nn

from semveil.nets.convolutional import ImageShape


class Judge(nn.Module):
    """A convolution at full size, stages that halve the map to four pixels, one linear layer."""

    def __init__(self, image_shape: ImageShape, classes: int, width: int = 16) -> None:
        super().__init__()
        channels, height, length = image_shape
        stages = [nn.Conv2d(channels, width, 3, padding=1)]
        while max(height, length) > 4:
            stages.append(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1))
            width, height, length = 2 * width, (height + 1) // 2, (length + 1) // 2
        self.stages = nn.ModuleList(nn.Sequential(stage, nn.ReLU()) for stage in stages)
        self.decide = nn.Linear(width * height * length, classes)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return the maps at every depth, float ``[B, width·2ⁱ, H/2ⁱ, W/2ⁱ]``."""
        maps, found = 2 * images - 1, []
        for stage in self.stages:
            maps = stage(maps)
            found.append(maps)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Classify ``[B, C, H, W]``: logits ``[B, classes]``."""
        return self.decide(self.features(images)[-1].flatten(1))
