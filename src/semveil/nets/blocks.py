"""Blocks of the semantic encoders and decoders, between their outer layers.

Three kinds, by decreasing number of parameters at 256 channels: the residual block of OFDM-guided
JSCC (Yang, Bian, Kim, arXiv 2109.05194), the inverted residual of MobileNetV2 (Sandler et al.,
CVPR 2018) and the SemBlock of MobileSC (Nan et al., arXiv 2305.07220).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

Kind = Literal["semblock", "residual", "inverted"]

_GROUPS = 8


class _Residual(nn.Sequential):
    """Layers with a residual connection around all of them."""

    def forward(self, input: Tensor) -> Tensor:
        """Transform ``[B, channels, H, W]``."""
        maps: Tensor = super().forward(input)
        return maps + input


class ResidualBlock(_Residual):
    """Two 3×3 convolutions with reflection padding and a residual connection.

    As in the published code of OFDM-guided JSCC: no bias, and no activation after the sum.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            nn.BatchNorm2d(channels),
        )


class InvertedBlock(_Residual):
    """Inverted residual block: 1×1 expansion, depthwise 3×3, 1×1 projection, residual sum."""

    def __init__(self, channels: int, expansion: int = 2) -> None:
        hidden = expansion * channels
        super().__init__(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )


class Attention(nn.Module):
    """Efficient channel attention and shuffle attention, applied together.

    Channel attention (ECA-Net, arXiv 1910.03151) scales a channel by a sigmoid of the means of
    that channel and its neighbours. Shuffle attention (SA-Net, arXiv 2102.00240) splits every
    group of channels in halves: one is scaled by ``σ(w·mean + b)``, the other at every pixel by
    ``σ(w·(γ·n + β) + b)`` where ``n`` is the channel normalised to zero mean and unit variance; the
    groups share their weights. Our reading: the maps are scaled by both. Both gates of shuffle
    attention are computed as ``σ(slope·(x − mean) + offset)`` with slope and offset per channel,
    which takes few passes over the maps and no splitting, and dominates the time of one image.

    SA-Net shuffles the channels at its end. The shuffle is omitted: a sum and a dense 1×1
    convolution follow, so it would only permute the channels.
    """

    pixel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % (2 * _GROUPS):
            raise ValueError(f"channels must be a multiple of {2 * _GROUPS}, not {channels}")
        half = channels // (2 * _GROUPS)
        # A kernel of five: ECA-Net's rule for 128 to 512 channels.
        self.neighbours = nn.Conv1d(1, 1, 5, padding=2)
        # First row: the half that is scaled by channel; second row: the half scaled by pixel.
        self.weight = nn.Parameter(torch.zeros(2, half))
        self.bias = nn.Parameter(torch.ones(2, half))
        self.norm_weight = nn.Parameter(torch.ones(half))
        self.norm_bias = nn.Parameter(torch.zeros(half))
        self.register_buffer("pixel", torch.tensor([[0.0], [1.0]]), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Scale ``[B, channels, H, W]``."""
        # On processors torch.var_mean takes ten times as long as these three passes.
        mean = maps.mean((2, 3))
        centred = maps - mean[:, :, None, None]
        unit = torch.rsqrt(centred.square().mean((2, 3)) + 1e-5)
        scale = torch.sigmoid(self.neighbours(mean.unsqueeze(1)))
        of_pixel = self.weight * self.pixel
        slope = unit.view(-1, _GROUPS, *of_pixel.shape) * (of_pixel * self.norm_weight)
        offset = torch.addcmul(
            torch.addcmul(self.bias, of_pixel, self.norm_bias),
            mean.view(slope.shape),
            self.weight - of_pixel,
        )
        shape = (*mean.shape, 1, 1)
        slope, offset, scale = (
            numbers.view(shape).to(maps.dtype) for numbers in (slope, offset, scale)
        )
        return (centred * slope).add_(offset).sigmoid_() * maps * scale


class SplitConv(nn.Module):
    """A depthwise 3×3 convolution factorised into 3×1 and 1×3.

    There is no activation between the two, so they are computed as one 3×3 convolution with the
    product of the kernels: the number of operator calls, not of multiplications, determines the
    time of one image. The map is padded before the first factor (our reading), so that both forms
    agree at the borders too.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.columns = nn.Conv2d(channels, channels, (3, 1), groups=channels)
        self.rows = nn.Conv2d(channels, channels, (1, 3), groups=channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve ``[B, channels, H, W]``."""
        first, second = self.columns, self.rows
        assert first.bias is not None
        assert second.bias is not None
        bias = torch.addcmul(second.bias, first.bias, second.weight.sum((1, 2, 3)))
        kernel = first.weight * second.weight
        return functional.conv2d(maps, kernel, bias, padding=1, groups=len(bias))


class SemBlock(_Residual):
    """MobileSC's block: 1×1, depthwise 3×1 and 1×3, 1×1, attention, residual connection.

    The paper says that a k×k convolution is split into k×1 and 1×k and that "an additional
    attention layer and an SANET structure" are added. Our reading of the rest reproduces the
    published number of parameters: at 256 channels 192 hidden ones, convolutions with biases, and
    efficient channel and shuffle attention give a block 101,670 parameters, a fourth of those of
    the published encoder without its outer layers. (The published decoder has two more in all.)
    """

    def __init__(self, channels: int) -> None:
        hidden = 3 * channels // 4
        super().__init__(
            nn.Conv2d(channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            SplitConv(hidden),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, channels, 1),
            nn.BatchNorm2d(channels),
            Attention(channels),
        )


_BLOCKS: dict[Kind, type[nn.Module]] = {
    "semblock": SemBlock,
    "residual": ResidualBlock,
    "inverted": InvertedBlock,
}


def body(kind: Kind, channels: int, blocks: int) -> nn.Sequential:
    """Return a sequence of blocks of one kind.

    Raises:
        ValueError: If the kind is none of these, or the channels do not fit it.
    """
    if kind not in _BLOCKS:
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, not {kind!r}")
    return nn.Sequential(*(_BLOCKS[kind](channels) for _ in range(blocks)))
