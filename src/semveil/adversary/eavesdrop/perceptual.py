"""A classifier of images as a judge of reconstructions, and a perceptual loss for inverters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from semveil.adversary.eavesdrop.observations import Intercepts
from semveil.adversary.eavesdrop.trainer import Effort, train_network
from semveil.device import channels_last, native_bfloat16
from semveil.errors import SemveilError
from semveil.link import as_float
from semveil.nets.judge import Judge
from semveil.rng import seeded

Features = Callable[[Tensor], Sequence[Tensor]]
"""Images float ``[B, C, H, W]`` in [0, 1] → maps at several depths."""


def fit_judge(
    training: Intercepts,
    validation: Intercepts,
    classes: int,
    effort: Effort,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Judge:
    """Train a judge on Eve's own images, not on her receptions.

    Args:
        training: Her images and labels.
        validation: Images for early stopping.
        classes: Labels.
        effort: When it stops.
        seed: Seed of its weights and of the order of the images.
        progress: Told ``(epochs done, epochs at most)``.

    Returns:
        The judge, in evaluation mode, its weights frozen.

    Raises:
        SemveilError: If its loss is not finite.
    """
    device = training.device
    channels, height, width = training.images.shape[1:]
    with seeded(seed, "judge", "weights"):
        judge = Judge((channels, height, width), classes)
    channels_last(judge.to(device))

    def loss(owner: Intercepts, rows: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(device)):
            logits = judge(as_float(owner.images[rows]))
        return F.cross_entropy(logits.float(), owner.labels[rows])

    def validate() -> float:
        rows = torch.arange(len(validation), device=device)
        parts = [float(loss(validation, some)) * len(some) for some in rows.split(2000)]
        return sum(parts) / len(rows)

    train_network(
        judge,
        lambda rows, source: loss(training, rows),
        validate,
        len(training),
        effort,
        seed,
        ("judge",),
        device,
        progress,
    )
    return judge.requires_grad_(False)


def load_judge(path: str | Path, image_shape: tuple[int, int, int], classes: int) -> Judge:
    """Read a judge whose weights the user supplies.

    Args:
        path: A safetensors file with the weights of :class:`~semveil.nets.judge.Judge`.
        image_shape: Channels, height, width.
        classes: Labels.

    Returns:
        The judge, in evaluation mode, its weights frozen.

    Raises:
        SemveilError: If the file cannot be read, or is of another network.
    """
    judge = Judge(image_shape, classes)
    try:
        judge.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise SemveilError(f"audit.perceptual_weights: cannot use {path}: {reason}") from None
    return judge.requires_grad_(False).eval()


@torch.no_grad()
def judged(judge: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return what a judge sees in images.

    Args:
        judge: Images → logits.
        images: Reconstructions, float ``[N, C, H, W]``.

    Returns:
        Logits, float ``[N, classes]``.

    Example:
        >>> judged(lambda x: x.flatten(1), torch.eye(2).reshape(2, 2, 1, 1)).argmax(1)
        tensor([0, 1])
    """
    return torch.cat([judge(some) for some in images.split(1000)])


@dataclass(frozen=True)
class PerceptualLoss:
    """Mean over depths of the mean absolute difference of a network's maps.

    The published attack on UIS-ToSC (Zhang et al., 2024, in its code) takes five depths of a VGG-19
    that was trained on ImageNet, with equal weights, and adds the mean squared error. Here the
    network is a :class:`~semveil.nets.judge.Judge` that Eve trained on her own images; the feature
    maps of any other network can take its place.

    Attributes:
        features: The network's maps.
        channels: Channels of its input: grey images are repeated, colours averaged, to fit; those
            of the images if None.

    Example:
        >>> loss = PerceptualLoss(lambda images: [images, 2 * images], channels=3)
        >>> loss(torch.ones(2, 1, 4, 4), torch.zeros(2, 1, 4, 4))
        tensor(1.5000)
    """

    features: Features
    channels: int | None = None

    def __call__(self, images: Tensor, originals: Tensor) -> Tensor:
        """Compare images float ``[B, C, H, W]``; returns a scalar."""
        with torch.autocast(
            images.device.type, torch.bfloat16, enabled=native_bfloat16(images.device)
        ):
            with torch.no_grad():
                wanted = self.features(self._fitted(originals))
            found = self.features(self._fitted(images))
        distances = [F.l1_loss(a.float(), b.float()) for a, b in zip(found, wanted, strict=True)]
        return torch.stack(distances).mean()

    def _fitted(self, images: Tensor) -> Tensor:
        if self.channels in (None, images.shape[1]):
            return images
        return images.mean(1, keepdim=True).expand(-1, self.channels, -1, -1)
