"""Changes of training images that leave their meaning: shifts, mirroring, smaller sizes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from semveil.rng import Randomness, uniform


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed.

    Attributes:
        crop: Pixels by which they are moved at most, reflected at their borders.
        flip: Whether every image is mirrored in every other epoch, half of them in each: an image
            comes in both forms in two epochs, which it would not by chance (Jordan, arXiv
            2404.00498).
        size: Side of what Alice encodes in the first steps; the images' own if None.
        share: Share of the steps with that size.
    """

    crop: int = 0
    flip: bool = False
    size: int | None = None
    share: float = 0.5


class Augmented:
    """Training images, each changed anew whenever it is taken.

    Args:
        images: uint8 ``[N, C, H, W]``, on the device of the training.
        changes: How they are changed.
        source: Draws which of them are mirrored first.
    """

    def __init__(
        self, images: Tensor, changes: Augmentation, source: torch.Generator | None = None
    ) -> None:
        self.changes = changes
        halves = torch.randperm(len(images), generator=source) % 2
        self.first = halves.to(images.device)
        height, width = images.shape[2:]
        margin = changes.crop
        padded = images[:, :, _reflected(height, margin, images.device)]
        padded = padded[..., _reflected(width, margin, images.device)]
        # All shifts of all images, as a view.
        self.windows = padded.unfold(2, height, 1).unfold(3, width, 1)

    def take(self, rows: Tensor, epoch: int, source: Randomness) -> Tensor:
        """Return images ``rows``, int ``[B]``, uint8 ``[B, C, H, W]``, as an epoch has them."""
        draws = uniform((len(rows), 2), device=rows.device, generator=source)
        down, right = (draws * (2 * self.changes.crop + 1)).long().unbind(1)
        chosen = self.windows[rows, :, down, right]
        if not self.changes.flip:
            return chosen
        mirrored = (self.first[rows] + epoch) % 2 == 0
        return torch.where(mirrored.view(-1, 1, 1, 1), chosen.flip(3), chosen)

    def smaller(self, images: Tensor, done: float) -> Tensor | None:
        """Return images ``[B, C, H, W]`` in the size of the first steps; None in later ones.

        Args:
            images: float.
            done: Share of the steps that are done.
        """
        if self.changes.size is None or done >= self.changes.share:
            return None
        sides = images.shape[2:]
        scale = self.changes.size / min(sides)
        size = [max(1, round(side * scale)) for side in sides]
        # On uint8 this is not faster, and rounds.
        small = F.interpolate(images, size, mode="bilinear", antialias=True)
        return small.contiguous(memory_format=torch.channels_last)


def _reflected(length: int, margin: int, device: torch.device) -> Tensor:
    """Return the places of a line with a margin at both ends, which mirrors it."""
    if margin >= length:
        raise ValueError(f"{margin} pixels of margin around {length} pixels")
    places = torch.arange(-margin, length + margin, device=device).abs()
    return torch.where(places < length, places, 2 * (length - 1) - places)
