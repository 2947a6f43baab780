"""A critic that scores pairs of images and observations."""

from __future__ import annotations

from torch import Tensor, nn

from semveil.nets.convolutional import ConvEncoder, ImageShape
from semveil.nets.dense import Mlp


class Critic(nn.Module):
    """Scores every pair of an observation and an image, as inner products of two embeddings."""

    def __init__(
        self, inputs: int, image_shape: ImageShape, embedding: int = 128, width: int = 16
    ) -> None:
        super().__init__()
        self.observation = Mlp(inputs, (512, 512), embedding)
        self.image = nn.Sequential(
            ConvEncoder(image_shape, 256, width), nn.ReLU(), nn.Linear(256, embedding)
        )
        self.scale = embedding**-0.5

    def forward(self, observations: Tensor, images: Tensor) -> Tensor:
        """Score ``[B, inputs]`` against images ``[N, C, H, W]``: float ``[B, N]``."""
        return self.scale * self.observation(observations) @ self.image(images).T
