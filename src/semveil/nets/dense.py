"""Fully connected networks: heads, eavesdroppers and the learned perturbation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Mlp(nn.Sequential):
    """Linear layers with an activation between them; without a hidden width, a linear map.

    Args:
        inputs: Input size.
        hidden: Width of each hidden layer.
        outputs: Output size.
        activation: Between the layers.

    Shape:
        float ``[B, inputs]`` → float ``[B, outputs]``.

    Example:
        >>> Mlp(17, (64,), 10)(torch.zeros(2, 17)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self,
        inputs: int,
        hidden: tuple[int, ...],
        outputs: int,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        layers: list[nn.Module] = []
        for width in hidden:
            layers += [nn.Linear(inputs, width), activation()]
            inputs = width
        super().__init__(*layers, nn.Linear(inputs, outputs))


class ResidualMlp(nn.Module):
    """Residual blocks of layer norm and two linear layers."""

    def __init__(self, inputs: int, width: int, blocks: int, outputs: int) -> None:
        super().__init__()
        self.enter = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
            )
            for _ in range(blocks)
        )
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, outputs))

    def forward(self, observations: Tensor) -> Tensor:
        """Map ``[B, inputs]`` to ``[B, outputs]``."""
        state = self.enter(observations)
        for block in self.blocks:
            state = state + block(state)
        return self.leave(state)


class ResidualBlock(nn.Module):
    """A residual block of layer norm and two linear layers that starts as the identity.

    Shape:
        float ``[B, width]`` → float ``[B, width]``.

    Example:
        >>> ResidualBlock(2)(torch.tensor([[3.0, 4.0]]))
        tensor([[3., 4.]], grad_fn=<AddBackward0>)
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        leave = nn.Linear(width, width)
        nn.init.zeros_(leave.weight)
        nn.init.zeros_(leave.bias)
        self.change = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(approximate="tanh"), leave
        )

    def forward(self, state: Tensor) -> Tensor:
        """Change ``[B, width]``."""
        changed: Tensor = state + self.change(state)
        return changed


class DenseImage(nn.Module):
    """A dense network whose output is an image in [0, 1]."""

    def __init__(self, network: nn.Module, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.network = network
        self.image_shape = image_shape

    def forward(self, observations: Tensor) -> Tensor:
        """Reconstruct ``[B, C, H, W]`` from ``[B, inputs]``."""
        return torch.sigmoid(self.network(observations)).unflatten(1, self.image_shape)
