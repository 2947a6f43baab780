"""The five-layer joint source-channel code of Bourtsoulatze, Kurka and Gündüz.

Source: "Deep Joint Source-Channel Coding for Wireless Image Transmission", IEEE TCCN 5(3), 2019
(arXiv 1809.01733). Our reading where the paper is silent: one PReLU slope per layer, none after
the encoder's last layer, and two pixels of padding on every side of a map.

The layers compute the same as torch's, from the same parameters, in a form that trains faster on
processors: together they shorten a training step in bfloat16 by a third.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_weight

from semveil.nets.convolutional import ImageShape
from semveil.nets.whitening import Prepared


class _Prelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(maps, slope)
        ctx.slope = slope.item()
        return functional.leaky_relu(maps, ctx.slope)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = grads
        maps, slope = ctx.saved_tensors
        if torch.is_grad_enabled():
            # A second derivative is asked for, and the gradient depends on the slope.
            below = maps.clamp(max=0) * gradient
            through = torch.where(maps > 0, gradient, slope.to(gradient.dtype) * gradient)
        else:
            below = maps.clamp(max=0).mul_(gradient)
            through = torch.ops.aten.leaky_relu_backward(gradient, maps, ctx.slope, False)
        return through, below.sum().to(slope.dtype).reshape(slope.shape)


class Prelu(nn.PReLU):
    """``max(0, x) + a·min(0, x)`` with one trained slope ``a``.

    On a processor the backward pass of ``nn.PReLU`` is ten times slower than this one (bfloat16)
    and takes a quarter of a training step: it stores the slope's gradient per element before
    summing, and is not vectorised.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Apply it to ``input`` of any shape."""
        # Reading the slope would synchronise a GPU; a compiler does all of this by itself.
        if input.device.type != "cpu" or torch.compiler.is_compiling():
            return super().forward(input)
        return _Prelu.apply(input, self.weight)


def _doubled(maps: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    """Transposed 5×5 convolution of stride two: ``[B, I, H, W]``, ``[I, O, 5, 5]`` → doubled."""
    # Output pixels of even and odd rows and columns use disjoint parts of the kernel, each at most
    # 3×3: one 3×3 convolution with four times the channels computes all four kinds, which are then
    # interleaved. The direct form is two to five times slower on processors.
    batch, inputs, height, width = maps.shape
    # Kernel row k = 2u + p brings input row m to output row 2(m + u − 1) + p: for an output row
    # of parity p, tap 2 − u of three. A sixth row of zeros lets u and p run over all of 3 × 2.
    taps = functional.pad(kernel, (0, 1, 0, 1)).unflatten(3, (3, 2)).unflatten(2, (3, 2))
    small = taps.flip(2, 4).permute(3, 5, 1, 0, 2, 4).reshape(-1, inputs, 3, 3)
    phases = functional.conv2d(maps, small, None if bias is None else bias.repeat(4), padding=1)
    # Channels are (row parity, column parity, output): in channels_last order the last two lie
    # as in a row of the result, so whole rows are copied.
    rows = phases.permute(0, 2, 3, 1).unflatten(3, (2, -1)).transpose(2, 3)
    return rows.reshape(batch, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)


def _halved(maps: Tensor, kernel: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.conv2d(maps, kernel, bias, stride=2, padding=2)


class _Resample(torch.autograd.Function):
    """Convolution of stride two, or its transpose: each is the other's gradient at the maps."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernel: Tensor, bias: Tensor, doubling: bool) -> Tensor:
        ctx.save_for_backward(maps, kernel)
        ctx.doubling = doubling
        return (_doubled if doubling else _halved)(maps, kernel, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        (gradient,) = grads
        maps, kernel = ctx.saved_tensors
        back = _halved if ctx.doubling else _doubled
        large, small = (gradient, maps) if ctx.doubling else (maps, gradient)
        return (
            back(gradient, kernel) if ctx.needs_input_grad[0] else None,
            conv2d_weight(large, kernel.shape, small, stride=2, padding=2),
            gradient.sum((0, 2, 3)),
            None,
        )


def _cast(maps: Tensor, *parameters: Tensor | None) -> tuple[Tensor, ...]:
    """Cast a layer's maps and parameters to autocast's dtype where autocast is on."""
    device = maps.device.type
    # Tensors without memory know no autocast.
    active = device != "meta" and torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if active else maps.dtype
    return tuple(x.to(dtype) for x in (maps, *parameters) if x is not None)


class HalvingConv(nn.Conv2d):
    """A 5×5 convolution of stride two."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2, padding=2)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve ``[B, inputs, H, W]``."""
        return _Resample.apply(*_cast(input, self.weight, self.bias), False)


class DoublingConv(nn.ConvTranspose2d):
    """A transposed 5×5 convolution of stride two."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2, padding=2, output_padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve ``[B, inputs, H, W]``."""
        return _Resample.apply(*_cast(input, self.weight, self.bias), True)


class MirroredConv(nn.ConvTranspose2d):
    """A transposed 5×5 convolution of stride one, computed as a convolution.

    The kernel is mirrored and its channels swapped; its gradient then takes the convolution's
    faster path.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, padding=2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve ``[B, inputs, H, W]``."""
        kernel = self.weight.transpose(0, 1).flip(2, 3)
        return functional.conv2d(input, kernel, self.bias, padding=2)


def _filters(image_shape: ImageShape, latent_dim: int) -> int:
    """Return the channels ``c`` of the ``H/4 × W/4`` map that holds the latent."""
    _, height, width = image_shape
    if height % 4 or width % 4:
        raise ValueError(f"DeepJSCC needs sides that are multiples of four, not {height}×{width}")
    pixels = height * width // 16
    if latent_dim < 1 or latent_dim % pixels:
        raise ValueError(f"latent_dim must be a multiple of {pixels} here, not {latent_dim}")
    return latent_dim // pixels


class DeepJsccEncoder(nn.Module):
    """Images to latents: five 5×5 convolutions, the first two of stride two.

    Args:
        image_shape: Channels, height, width of the source; sides are multiples of four.
        latent_dim: Reals in the latent, ``d = c·H·W/16`` (``64·c`` for 32×32).

    Shape:
        images float ``[B, C, H, W]`` in [0, 1] → latents float ``[B, d]``; the ``c`` features of
        one position are adjacent.

    Raises:
        ValueError: If the sides or ``latent_dim`` do not fit.

    Example:
        >>> DeepJsccEncoder((3, 32, 32), latent_dim=768)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 768])
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            HalvingConv(image_shape[0], 16),
            Prelu(),
            HalvingConv(16, 32),
            Prelu(),
            nn.Conv2d(32, 32, 5, padding=2),
            Prelu(),
            nn.Conv2d(32, 32, 5, padding=2),
            Prelu(),
            nn.Conv2d(32, _filters(image_shape, latent_dim), 5, padding=2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[B, C, H, W]`` into ``[B, d]``."""
        # In channels_last order this is a view.
        return self.layers(images).permute(0, 2, 3, 1).flatten(1)


class DeepJsccDecoder(Prepared):
    """Latents to images: the mirrored encoder, with transposed convolutions.

    Arguments and errors are those of :class:`DeepJsccEncoder`.

    Shape:
        latents float ``[B, d]`` → images float ``[B, C, H, W]`` in [0, 1].

    Example:
        >>> DeepJsccDecoder((3, 32, 32), latent_dim=768)(torch.zeros(2, 768)).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int) -> None:
        super().__init__()
        channels, height, width = image_shape
        filters = _filters(image_shape, latent_dim)
        self.start = (height // 4, width // 4, filters)
        self.layers = nn.Sequential(
            MirroredConv(filters, 32),
            Prelu(),
            MirroredConv(32, 32),
            Prelu(),
            MirroredConv(32, 32),
            Prelu(),
            DoublingConv(32, 16),
            Prelu(),
            DoublingConv(16, channels),
        )

    def prepare(self, images: Tensor) -> None:
        """Begin with the mean colour of uint8 ``[N, C, H, W]``.

        On dark images the way from grey to it saturates the sigmoid, and black pictures stay.
        """
        mean = images.float().mean((0, 2, 3)).div(255).clamp(0.02, 0.98)
        last = self.layers[-1]
        assert isinstance(last, DoublingConv)
        assert last.bias is not None
        with torch.no_grad():
            last.bias.copy_(mean.logit())

    def forward(self, latents: Tensor) -> Tensor:
        """Reconstruct ``[B, C, H, W]`` from ``[B, d]``."""
        maps = latents.unflatten(1, self.start).permute(0, 3, 1, 2)
        # bfloat16 would round the sigmoid's output near white to steps of a whole grey level.
        return torch.sigmoid(self.layers(maps).float())
