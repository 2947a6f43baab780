"""Networks of the task-oriented links: a trunk, encoders and classifiers on it.

The papers state no trunk, or one of 64 channels with one residual block (VFE); ours is that
of a network that learns quickly (our reading): width is a setting, depth depends on the size.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F

from semveil.device import full_precision
from semveil.nets.convolutional import ImageShape
from semveil.nets.whitening import Whitening

# Channels of the stages over those of the first.
_GROWTH = 1, 4, 8


def _convolution(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


class Residual(nn.Module):
    """Two 3×3 convolutions with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Transform ``[B, channels, H, W]``."""
        return F.relu(maps + self.layers(maps))


class FilterConv(nn.Conv2d):
    """A 3×3 convolution before a normalisation, which makes the filter's scale irrelevant."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=False)
        # It starts by handing its inputs on.
        nn.init.dirac_(self.weight[: min(inputs, outputs)])


class _OverProcesses(torch.autograd.Function):
    """The sum of a tensor over the processes that share a batch."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        distributed.all_reduce(total)
        return total


class ShiftNorm(nn.BatchNorm2d):
    """A batch normalisation that learns a shift and no scale.

    Processes that share a batch normalise by the statistics of the whole.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, momentum=0.2)
        del self.weight
        self.register_parameter("weight", None)

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise ``[B, channels, H, W]``."""
        shared = self.training and distributed.is_available() and distributed.is_initialized()
        if not shared or distributed.get_world_size() == 1:
            return super().forward(maps)
        values = maps.float()
        sums = torch.stack([values.sum((0, 2, 3)), values.square().sum((0, 2, 3))])
        count = maps.numel() // maps.shape[1] * distributed.get_world_size()
        mean, square = _OverProcesses.apply(sums) / count
        variance = square - mean.square()
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        scale = (variance + self.eps).rsqrt()
        normal = (values - mean[:, None, None]) * scale[:, None, None]
        return (normal + self.bias[:, None, None]).to(maps.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


class Trunk(nn.Sequential):
    """Images to maps: a fixed whitening, then stages of two convolutions that halve the map.

    The network of Jordan, arXiv 2404.00498, which learns CIFAR-10 in few operations, for images of
    any size. With batch normalisation; after training an image's maps depend on that image alone.

    Args:
        image_shape: Channels, height, width of the source.
        width: Channels of the first of three stages; the second has four times, the last and any
            further one eight times as many. Small images have the last stages only.
        side: Pixels that the sides of the last maps have, or nearly.
        padded: Whether a stage halves the sides exactly; else the whitening takes a pixel first.

    Shape:
        images float ``[B, C, H, W]``, of these or other sides → maps float.
    """

    def __init__(
        self, image_shape: ImageShape, width: int, side: int = 4, padded: bool = False
    ) -> None:
        whitening = Whitening(image_shape[0], padded)
        halvings = math.log2(min(image_shape[1:]))
        stages = max(1, min(round(halvings - math.log2(side)), math.floor(halvings)))
        first = max(0, len(_GROWTH) - stages)
        layers: list[nn.Module] = [whitening, nn.GELU()]
        channels = whitening.outputs
        for stage in range(first, first + stages):
            grown = width * _GROWTH[min(stage, len(_GROWTH) - 1)]
            layers += [
                FilterConv(channels, grown),
                nn.MaxPool2d(2),
                ShiftNorm(grown),
                nn.GELU(),
                FilterConv(grown, grown),
                ShiftNorm(grown),
                nn.GELU(),
            ]
            channels = grown
        super().__init__(*layers)
        self.channels = channels


class _PooledEncoder(nn.Module):
    """The trunk, its maps pooled to some cells, one linear layer."""

    def __init__(self, trunk: Trunk, pool: nn.Module, cells: int, latent_dim: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(trunk, pool, nn.Flatten())
        self.project = nn.Linear(cells * trunk.channels, latent_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` into ``[B, d]``."""
        return self.project(self.maps(images))


class TaskEncoder(_PooledEncoder):
    """Images to features: the trunk, the largest value of each map, one linear layer.

    Args:
        image_shape: Channels, height, width of the source.
        latent_dim: Features, ``d``.
        width: Channels of the trunk's first stage.

    Shape:
        images float ``[B, C, H, W]`` in [0, 1], of these or other sides → features float
        ``[B, d]``.

    Example:
        >>> TaskEncoder((1, 28, 28), latent_dim=16, width=4)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 16])
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int, width: int) -> None:
        super().__init__(Trunk(image_shape, width), nn.AdaptiveMaxPool2d(1), 1, latent_dim)


class MapEncoder(_PooledEncoder):
    """Images to features that tell what is where: the trunk, then one linear layer on its maps.

    Args:
        image_shape: Channels, height, width of the source.
        latent_dim: Features, ``d``.
        width: Channels of the trunk's first stage.

    Shape:
        images float ``[B, C, H, W]`` in [0, 1] → features float ``[B, d]``.

    Example:
        >>> MapEncoder((1, 28, 28), latent_dim=16, width=4)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 16])
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int, width: int) -> None:
        trunk = Trunk(image_shape, width, padded=True)
        super().__init__(trunk, nn.AdaptiveAvgPool2d(4), 16, latent_dim)


class GatedEncoder(nn.Module):
    """Bounded features with amplitudes and directions learned separately (VFE).

    The last layer's weights have unit norm per feature; a gate ``μ_i ≥ 0`` multiplies each feature
    before the tanh, so that the bottleneck can switch a feature off by its gate. The gates are
    ordered, ``μ_1 ≥ μ_2 ≥ …``: each is the next plus a learned positive number.

    Args:
        image_shape: Channels, height, width of the source.
        latent_dim: Features, ``d``.
        width: Channels of the first convolution.
        variable_length: Whether the gates depend on the channel's noise (monotone positive
            network) or are constants.

    Shape:
        images float ``[B, C, H, W]``, sigma float ``[B, 1]`` (noise per real; only used if the
        length is variable) → features float ``[B, d]`` in (−1, 1).

    Example:
        >>> encoder = GatedEncoder((1, 8, 8), latent_dim=4, width=4, variable_length=True)
        >>> encoder(torch.zeros(2, 1, 8, 8), torch.full((2, 1), 0.1)).shape
        torch.Size([2, 4])
    """

    def __init__(
        self, image_shape: ImageShape, latent_dim: int, width: int, variable_length: bool
    ) -> None:
        super().__init__()
        self.body = TaskEncoder(image_shape, latent_dim, width)
        self.gates: nn.Module | nn.ParameterList
        if variable_length:
            self.gates = _Monotone(latent_dim)
        else:
            self.gates = nn.ParameterList([torch.full((latent_dim,), 2.0 / latent_dim)])

    def gate(self, sigma: Tensor) -> Tensor:
        """Return the gates ``μ``, float ``[B, d]`` or ``[1, d]``, for noise ``[B, 1]``."""
        if isinstance(self.gates, nn.ParameterList):
            added = self.gates[0].abs().unsqueeze(0)
        else:
            # Less noise needs fewer features: the network grows with σ.
            added = self.gates(sigma)
        return added.flip(1).cumsum(1).flip(1)

    def forward(self, images: Tensor, sigma: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` into ``[B, d]``."""
        last = self.body.project
        rows = torch.cat([last.weight, last.bias.unsqueeze(1)], 1)
        rows = rows / rows.norm(dim=1, keepdim=True)
        flat = self.body.maps(images)
        # Unit mean square, so that a gate has the same effect on every image.
        flat = F.normalize(flat.float(), dim=1) * math.sqrt(flat.shape[1])
        linear = F.linear(flat, rows[:, :-1], rows[:, -1])
        return torch.tanh(self.gate(sigma) * linear)


class _Monotone(nn.Module):
    """Noise to positive numbers that increase with it (weights enter by their magnitude)."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(1, 16), nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, outputs)]
        )
        with torch.no_grad():
            last = self.layers[-1]
            assert isinstance(last, nn.Linear)
            last.weight.mul_(4.0 / outputs)
            last.bias.fill_(1.0 / outputs)

    def forward(self, sigma: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            sigma = torch.tanh(F.linear(sigma, layer.weight.abs(), layer.bias))  # type: ignore[arg-type,operator]
        return F.linear(1 + sigma, last.weight.abs(), last.bias.abs())  # type: ignore[operator]


class TokenEncoder(nn.Module):
    """Images to a grid of vectors, which are quantised one by one.

    Args:
        image_shape: Channels, height, width of the source.
        grid: Rows and columns of tokens.
        dim: Reals per token.
        width: Channels of the first convolution.

    Shape:
        images float ``[B, C, H, W]`` in [0, 1] → tokens float ``[B, rows·columns, dim]`` of
        zero mean and unit variance each.

    Example:
        >>> TokenEncoder((3, 32, 32), (4, 4), dim=8, width=4)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 16, 8])
    """

    def __init__(
        self, image_shape: ImageShape, grid: tuple[int, int], dim: int, width: int
    ) -> None:
        super().__init__()
        trunk = Trunk(image_shape, width, min(grid), padded=True)
        self.layers = nn.Sequential(
            trunk, nn.AdaptiveAvgPool2d(grid), nn.Conv2d(trunk.channels, dim, 1)
        )
        # Otherwise a token's norm would grow without bound, since a larger one makes a surer
        # choice.
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` into ``[B, T, dim]``."""
        return self.norm(self.layers(images).flatten(2).transpose(1, 2).float())


class TaskHead(nn.Sequential):
    """Received features to logits: one hidden layer, normalised; in float32 at any precision.

    Args:
        inputs: Reals of a reception.
        hidden: Units of the hidden layer.
        classes: Number of classes.

    Shape:
        float ``[B, inputs]`` → logits float ``[B, classes]``.

    Example:
        >>> TaskHead(17, 64, 10)(torch.zeros(2, 17)).shape
        torch.Size([2, 10])
    """

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__(
            nn.Linear(inputs, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, classes)
        )

    def forward(self, observations: Tensor) -> Tensor:
        """Classify ``[B, inputs]``."""
        with full_precision(observations.device):
            logits: Tensor = super().forward(observations.float())
        return logits


class TokenClassifier(nn.Module):
    """Received codewords to logits: a residual block, global max pooling, a linear layer.

    Args:
        grid: Rows and columns of tokens.
        dim: Reals per token.
        width: Hidden channels.
        classes: Number of classes.

    Shape:
        tokens float ``[B, rows·columns, dim]`` → logits float ``[B, classes]``.

    Example:
        >>> TokenClassifier((4, 4), 8, 16, 10)(torch.zeros(2, 16, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(self, grid: tuple[int, int], dim: int, width: int, classes: int) -> None:
        super().__init__()
        self.grid = grid
        self.layers = nn.Sequential(
            *_convolution(dim, width),
            Residual(width),
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(width, classes),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Classify ``[B, T, dim]``."""
        return self.layers(tokens.transpose(1, 2).unflatten(2, self.grid))
