"""A semantic link: Alice's encoder, the waveform, Bob's channel and Bob's two heads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semveil import phy
from semveil.channel import Channel
from semveil.nets.convolutional import ConvEncoder, ImageShape, Reconstructor
from semveil.nets.dense import Mlp
from semveil.rng import Randomness


def to_waveform(latent: Tensor) -> Tensor:
    """Pair the reals of a latent into complex symbols of unit mean power per image.

    Args:
        latent: float ``[B, d]``, ``d`` even.

    Returns:
        Waveform, complex ``[B, d/2]`` with ``‖z‖² = d/2``.

    Example:
        >>> to_waveform(torch.tensor([[3.0, 4.0]]))
        tensor([[0.6000+0.8000j]])
    """
    return phy.normalise_power(torch.view_as_complex(latent.float().unflatten(1, (-1, 2))))


@dataclass
class Answer:
    """What Bob makes of one batch.

    Attributes:
        logits: Task scores, float ``[B, classes]``.
        images: Reconstruction, float ``[B, C, H, W]`` in [0, 1]; None if Bob rebuilds nothing.
    """

    logits: Tensor
    images: Tensor | None = None


class Link(nn.Module):
    """Alice → waveform → channel → Bob, as one differentiable module with taps.

    Eve's tap is :meth:`transmit` (the waveform that leaves Alice's antenna, to be carried over
    a channel of her own); Mallory's is ``injected`` in :meth:`forward` (what she adds at Bob's
    antenna).

    Args:
        encoder: Images ``[B, C, H, W]`` → latents ``[B, d]``.
        classifier: Features of a reception ``[B, d + 1]`` → logits ``[B, classes]``.
        reconstructor: Features ``[B, d + 1]`` → images ``[B, C, H, W]``.
        channel: Bob's channel.

    Example:
        >>> link = multitask_link((1, 8, 8), classes=10, latent_dim=8, width=4)
        >>> link(torch.zeros(2, 1, 8, 8), snr_db=10.0).logits.shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        encoder: nn.Module,
        classifier: nn.Module,
        reconstructor: nn.Module,
        channel: Channel,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.classifier = classifier
        self.reconstructor = reconstructor
        self.channel = channel

    def transmit(self, images: Tensor) -> Tensor:
        """Return Alice's waveform, complex ``[B, d/2]``, for images ``[B, C, H, W]``."""
        return to_waveform(self.encoder(images))

    def decode(self, features: Tensor) -> Answer:
        """Return Bob's answer to the features ``[B, d + 1]`` of a reception."""
        return Answer(self.classifier(features), self.reconstructor(features))

    def forward(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        *,
        generator: Randomness = None,
        injected: Tensor | None = None,
    ) -> Answer:
        """Send images and return what Bob makes of them.

        Args:
            images: float ``[B, C, H, W]`` in [0, 1].
            snr_db: Bob's mean E_s/N_0 in dB, one number or one per image.
            generator: Source of fading and noise.
            injected: Mallory's perturbation at Bob's antenna, complex ``[B, overhead + k]``.

        Returns:
            Task scores and reconstruction.
        """
        waveform = self.transmit(images)
        reception = self.channel(waveform, snr_db, generator=generator, injected=injected)
        return self.decode(reception.features())


def multitask_link(
    image_shape: ImageShape,
    classes: int,
    latent_dim: int,
    width: int = 32,
    head_width: int = 256,
    channel: Channel | None = None,
) -> Link:
    """Build the multi-task link of Sagduyu et al. (arXiv 2512.24452); layer sizes our reading.

    Args:
        image_shape: Channels, height, width of the source.
        classes: Answers of the task.
        latent_dim: Reals per image, ``d``; even.
        width: Channels of the first convolution.
        head_width: Hidden width of the semantic head.
        channel: Bob's channel; Rayleigh with perfect CSI if omitted.

    Returns:
        An untrained link.

    Raises:
        ValueError: If ``latent_dim`` is odd or not positive.

    Example:
        >>> multitask_link((1, 28, 28), 10, 16).encoder.project.out_features
        16
    """
    if latent_dim < 2 or latent_dim % 2:
        raise ValueError(f"latent_dim must be even and positive, not {latent_dim}")
    observed = latent_dim + 1
    return Link(
        ConvEncoder(image_shape, latent_dim, width),
        Mlp(observed, (head_width, head_width), classes),
        Reconstructor(observed, image_shape, width),
        channel or Channel(),
    )


def as_float(images: Tensor) -> Tensor:
    """Turn stored uint8 images into floats in [0, 1], on the device where they lie.

    Example:
        >>> as_float(torch.tensor([255], dtype=torch.uint8))
        tensor([1.])
    """
    return images.float() / 255
