"""Blocks of the semantic encoders: what stands between their outer layers.

Three kinds, in the order of their weight at 256 channels: the residual block of OFDM-guided
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


class ResidualBlock(nn.Sequential):
    """Two 3×3 convolutions, reflected at the borders, around which the input is added.

    As in the published code of OFDM-guided JSCC: no bias, and nothing bends the sum.

    Args:
        channels: Channels in and out.

    Shape:
        maps float ``[B, channels, H, W]``, sides of two and more → the same.

    Example:
        >>> ResidualBlock(4)(torch.zeros(2, 4, 8, 8)).shape
        torch.Size([2, 4, 8, 8])
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

    def forward(self, input: Tensor) -> Tensor:
        """Bend ``[B, channels, H, W]``."""
        maps: Tensor = super().forward(input)
        return maps + input


class InvertedBlock(nn.Sequential):
    """Widen, look at each channel's neighbourhood, narrow again; the input is added.

    Args:
        channels: Channels in and out.
        expansion: How many times as many lie between.

    Shape:
        maps float ``[B, channels, H, W]`` → the same.

    Example:
        >>> InvertedBlock(4)(torch.zeros(2, 4, 8, 8)).shape
        torch.Size([2, 4, 8, 8])
    """

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

    def forward(self, input: Tensor) -> Tensor:
        """Bend ``[B, channels, H, W]``."""
        maps: Tensor = super().forward(input)
        return maps + input


class Attention(nn.Module):
    """Efficient channel attention beside shuffle attention, both from one look at the maps.

    Channel attention (ECA-Net, arXiv 1910.03151) scales a channel by a sigmoid of the mean of
    that channel and its neighbours. Shuffle attention (SA-Net, arXiv 2102.00240) splits every
    group of channels in halves: one is scaled by ``σ(w·mean + b)``, the other at every pixel by
    ``σ(w·(γ·n + β) + b)`` where ``n`` is the channel brought to zero mean and unit variance; the
    groups share their weights. Our reading: the maps are scaled by both. Shuffle attention's gates
    are ``σ(slope·(x − mean) + offset)`` with numbers per channel, so that the maps are passed
    over a few times and never split or joined, which decides the time of one image.

    SA-Net shuffles the channels at its end. It is left out: next comes a sum, then a dense 1×1
    convolution, so it would only rename channels, in every block alike.

    Args:
        channels: Channels, a multiple of 16: eight groups of two halves.

    Shape:
        maps float ``[B, channels, H, W]``, more than one pixel → the same.

    Raises:
        ValueError: If the channels do not divide so.

    Example:
        >>> Attention(16)(torch.zeros(2, 16, 8, 8)).shape
        torch.Size([2, 16, 8, 8])
    """

    pixel: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        if channels % (2 * _GROUPS):
            raise ValueError(f"channels must be a multiple of {2 * _GROUPS}, not {channels}")
        half = channels // (2 * _GROUPS)
        # Five neighbours: what ECA-Net's rule gives for 128 to 512 channels.
        self.neighbours = nn.Conv1d(1, 1, 5, padding=2)
        # First row: the half that is scaled by channel; second row: the half scaled by pixel.
        self.weight = nn.Parameter(torch.zeros(2, half))
        self.bias = nn.Parameter(torch.ones(2, half))
        self.norm_weight = nn.Parameter(torch.ones(half))
        self.norm_bias = nn.Parameter(torch.zeros(half))
        self.register_buffer("pixel", torch.tensor([[0.0], [1.0]]), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Scale ``[B, channels, H, W]``."""
        # On processors torch.var_mean takes ten times as long as these three passes together.
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
    """Every channel along its columns, then along its rows: 3×1 and 1×3 instead of 3×3.

    Nothing lies between the two, so both are done at once by the 3×3 kernel that is their
    product: one image is held up by the number of operations, not by six products or nine. The
    map is padded before the first of them (our reading), so that this holds at its borders too.

    Args:
        channels: Channels in and out.

    Shape:
        maps float ``[B, channels, H, W]`` → the same.

    Example:
        >>> split, maps = SplitConv(2), torch.rand(1, 2, 4, 4)
        >>> in_turn = split.rows(split.columns(nn.functional.pad(maps, (1, 1, 1, 1))))
        >>> torch.allclose(split(maps), in_turn, atol=1e-6)
        True
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


class SemBlock(nn.Sequential):
    """Narrow, look along columns and rows of each channel, widen again, attend; the input is added.

    The paper says that a k×k convolution is split into k×1 and 1×k and that "an additional
    attention layer and an SANET structure" are added. Our reading of the rest is what makes the
    published number of parameters: at 256 channels 192 lie between, convolutions have biases,
    and with efficient channel and shuffle attention a block has 101,670, a fourth of what the
    published encoder has beside its outer layers. (The published decoder has two more in all.)

    Args:
        channels: Channels in and out, a multiple of 16.

    Shape:
        maps float ``[B, channels, H, W]``, more than one pixel → the same.

    Raises:
        ValueError: If the channels are no multiple of 16.

    Example:
        >>> SemBlock(16)(torch.zeros(2, 16, 8, 8)).shape
        torch.Size([2, 16, 8, 8])
        >>> sum(parameter.numel() for parameter in SemBlock(256).parameters())
        101670
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

    def forward(self, input: Tensor) -> Tensor:
        """Bend ``[B, channels, H, W]``."""
        maps: Tensor = super().forward(input)
        return maps + input


_BLOCKS: dict[Kind, type[nn.Module]] = {
    "semblock": SemBlock,
    "residual": ResidualBlock,
    "inverted": InvertedBlock,
}


def body(kind: Kind, channels: int, blocks: int) -> nn.Sequential:
    """Return a row of blocks of one kind.

    Args:
        kind: ``semblock``, ``residual`` or ``inverted``.
        channels: Channels in and out.
        blocks: How many.

    Raises:
        ValueError: If the kind is none of these, or the channels do not suit it.

    Example:
        >>> len(body("inverted", 4, 2))
        2
    """
    if kind not in _BLOCKS:
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, not {kind!r}")
    return nn.Sequential(*(_BLOCKS[kind](channels) for _ in range(blocks)))
