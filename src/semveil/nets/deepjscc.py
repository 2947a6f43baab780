"""The five-layer joint source-channel code of Bourtsoulatze, Kurka and Gündüz.

Source: "Deep Joint Source-Channel Coding for Wireless Image Transmission", IEEE TCCN 5(3), 2019
(arXiv 1809.01733). Our reading where the paper is silent: one PReLU slope per layer, none after
the encoder's last layer, and two pixels of padding on every side of an image.

The layers below compute what torch's own of the same name compute, from the same parameters, in
a form that trains faster on processors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from semveil.nets.convolutional import ImageShape


class _PreluFunction(torch.autograd.Function):
    """PReLU with one slope, its backward pass from plain elementwise kernels."""

    @staticmethod
    def forward(maps: Tensor, slope: Tensor) -> Tensor:
        # lerp(0, x, a) = a·x below zero, and lerp(x, x, a) = x above.
        return torch.lerp(functional.relu(maps), maps, slope)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        maps, slope = ctx.saved_tensors
        gradient = grads[0]
        above = torch.ops.aten.threshold_backward(gradient, maps, 0)
        below = gradient - above
        return torch.lerp(above, gradient, slope), (maps * below).sum().reshape(slope.shape)


class Prelu(nn.PReLU):
    """``max(0, x) + a·min(0, x)`` with one trained slope ``a``.

    ``nn.PReLU`` writes the slope's gradient once per element before it adds them up, in a kernel
    that is not vectorised: on a processor its backward pass is six times slower than this one
    (bfloat16), a quarter of a whole training step. Differentiable any number of times.

    Shape:
        maps, any shape and floating dtype → the same.

    Example:
        >>> Prelu()(torch.tensor([-4.0, 4.0])).tolist()
        [-1.0, 4.0]
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Bend ``input``, any shape."""
        return _PreluFunction.apply(input, self.weight.to(input.dtype))


class MirroredConv(nn.ConvTranspose2d):
    """A transposed convolution of stride one, computed as the convolution that it is.

    The kernel is mirrored and its channels swapped; the gradient with respect to the kernel then
    takes the convolution's faster path.

    Args:
        inputs: Channels in.
        outputs: Channels out.

    Shape:
        maps float ``[B, inputs, H, W]`` → ``[B, outputs, H, W]``.

    Example:
        >>> layer, maps = MirroredConv(3, 2), torch.rand(1, 3, 4, 4)
        >>> torch.allclose(layer(maps), nn.ConvTranspose2d.forward(layer, maps), atol=1e-5)
        True
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, padding=2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve ``[B, inputs, H, W]``."""
        kernel = self.weight.transpose(0, 1).flip(2, 3)
        return functional.conv2d(input, kernel, self.bias, padding=2)


class DoublingConv(nn.ConvTranspose2d):
    """A transposed convolution of stride two, computed at the resolution of its input.

    Output pixels of even and odd rows and columns see disjoint parts of the 5×5 kernel, each at
    most 3×3: one 3×3 convolution with four times the channels finds all four kinds, which are
    then interleaved.

    Args:
        inputs: Channels in.
        outputs: Channels out.

    Shape:
        maps float ``[B, inputs, H, W]`` → ``[B, outputs, 2H, 2W]``.

    Example:
        >>> layer, maps = DoublingConv(3, 2), torch.rand(1, 3, 4, 4)
        >>> torch.allclose(layer(maps), nn.ConvTranspose2d.forward(layer, maps), atol=1e-5)
        True
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 5, stride=2, padding=2, output_padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve ``[B, inputs, H, W]``."""
        assert self.bias is not None
        batch, inputs, height, width = input.shape
        # Kernel row k of output row 2m + p reads input row m + (p + 2 − k)/2: with k = 2u + p,
        # tap 2 − u of a 3×3 kernel. A sixth row of zeros makes 2u + p cover both parities.
        taps = functional.pad(self.weight, (0, 1, 0, 1)).unflatten(3, (3, 2)).unflatten(2, (3, 2))
        kernel = taps.flip(2, 4).permute(3, 5, 1, 0, 2, 4).reshape(-1, inputs, 3, 3)
        phases = functional.conv2d(input, kernel, self.bias.repeat(4), padding=1)
        # Channels are (row parity, column parity, output): in channels_last order the last two
        # already lie where they belong in a row of the result, so whole rows are copied.
        rows = phases.permute(0, 2, 3, 1).unflatten(3, (2, -1)).transpose(2, 3)
        return rows.reshape(batch, 2 * height, 2 * width, -1).permute(0, 3, 1, 2)


def _filters(image_shape: ImageShape, latent_dim: int) -> int:
    """Channels ``c`` of the narrowest map: its ``H/4 × W/4`` pixels hold the latent."""
    _, height, width = image_shape
    if height % 4 or width % 4:
        raise ValueError(f"DeepJSCC halves an image twice: {height}×{width} is not whole fours")
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
        one place lie side by side.

    Raises:
        ValueError: If the sides or ``latent_dim`` do not divide so.

    Example:
        >>> DeepJsccEncoder((3, 32, 32), latent_dim=768)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 768])
    """

    def __init__(self, image_shape: ImageShape, latent_dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(image_shape[0], 16, 5, stride=2, padding=2),
            Prelu(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),
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


class DeepJsccDecoder(nn.Module):
    """Latents to images: the encoder's mirror image, of transposed convolutions.

    Args:
        image_shape: Channels, height, width to rebuild; sides are multiples of four.
        latent_dim: Reals in the latent, ``d = c·H·W/16``.

    Shape:
        latents float ``[B, d]`` → images float ``[B, C, H, W]`` in [0, 1].

    Raises:
        ValueError: If the sides or ``latent_dim`` do not divide so.

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

    def forward(self, latents: Tensor) -> Tensor:
        """Rebuild ``[B, C, H, W]`` from ``[B, d]``."""
        maps = latents.unflatten(1, self.start).permute(0, 3, 1, 2)
        # In bfloat16 the sigmoid's output near white would have steps of a whole grey level.
        return torch.sigmoid(self.layers(maps).float())
