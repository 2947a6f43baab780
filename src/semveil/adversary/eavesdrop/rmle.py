"""White-box inversion without a network of Eve's own: regularised maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.channel import Reception
from semveil.phy.broadcast import per_image, squared_magnitude

WhiteBox = Callable[[Tensor], Tensor]
"""Images → noiseless waveform complex ``[B, k]``; differentiable, each image on its own."""


@dataclass(frozen=True)
class Search:
    """How an image is looked for.

    Attributes:
        steps: Steps of Adam.
        rate: Its learning rate, on the logits of the pixels.
        variation: Weight of total variation, over that of a Laplace prior of the differences of
            neighbouring pixels. The whole prior smooths too much: it takes every difference for
            independent.
    """

    steps: int = 300
    rate: float = 0.1
    variation: float = 0.1


def roughness(images: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels, float ``[B]``.

    Example:
        >>> roughness(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
        tensor([0.5000])
    """
    down = images.diff(dim=2).abs().flatten(1)
    across = images.diff(dim=3).abs().flatten(1)
    return torch.cat([down, across], dim=1).mean(1)


def rmle(
    reception: Reception,
    white_box: WhiteBox,
    known: Tensor,
    search: Search | None = None,
    invariant: bool = False,
    start: Tensor | None = None,
    own_noise: float = 0.0,
) -> Tensor:
    """Search for the images that explain a reception best (He et al., ACSAC 2019).

    Minimises ``‖y − h·f(x)‖²/σ² + λ·TV(x)`` over ``x`` in [0, 1], for all images at once, from the
    mean of the images that Eve knows. The first term is the channel's negative log-likelihood; λ
    is a set share of what Laplace-distributed differences of the roughness of her own images would
    make it. (The paper searches one image at a time, in noiseless features, with a λ set by hand.)

    Args:
        reception: What Eve heard.
        white_box: The encoder.
        known: Images of her own, float ``[N, C, H, W]`` in [0, 1].
        search: Steps and rate.
        invariant: Compare the sorted real components of ``y/h`` and ``f(x)``: all that a fresh
            permutation per message leaves.
        start: Where the search begins, float ``[B, C, H, W]``, such as a trained inverter's
            images; the mean of ``known`` if None. It is a prior too: leaving it costs the squared
            distance over the error that it has on average, taken from its distance to ``known``'s
            mean (our reading).
        own_noise: Variance per symbol of Alice's own noise, taken for Gaussian.

    Returns:
        Images, float ``[B, C, H, W]``.

    Example:
        >>> from semveil import phy
        >>> from semveil.channel import Channel
        >>> from semveil.rng import generator, uniform
        >>> def pixels(images):
        ...     pairs = (images - 0.5).flatten(1).unflatten(1, (-1, 2))
        ...     return torch.view_as_complex(pairs.contiguous())
        >>> x = uniform((4, 1, 2, 2), generator=generator(0))
        >>> heard = Channel("awgn")(pixels(x), 40.0, generator=generator(1))
        >>> bool((rmle(heard, pixels, x) - x).abs().max() < 0.1)
        True
    """
    search = search or Search()
    mean = known.mean(0).expand(len(reception.symbols), -1, -1, -1)
    first = mean if start is None else start.float()
    logits = first.clamp(0.02, 0.98).logit().clone().requires_grad_()
    # What the mean image misses on average is the most that a better guess can miss.
    missed = (known - known.mean(0)).square().mean()
    anchor = 0.0 if start is None else 1 / missed
    pairs = known[0].diff(dim=1).numel() + known[0].diff(dim=2).numel()
    variation = search.variation * pairs / roughness(known).mean().clamp(min=1e-3)
    gain = squared_magnitude(reception.csi)
    variance = per_image(reception.noise_variance, gain, "noise_variance")
    equalised = torch.view_as_real(reception.symbols / reception.csi)
    weight = gain / (variance + gain * own_noise)
    heard = _ordered(equalised.flatten(1), invariant)
    optimiser = torch.optim.Adam([logits], lr=search.rate)
    for _ in range(search.steps):
        images = logits.sigmoid()
        sent = _ordered(torch.view_as_real(white_box(images)).flatten(1), invariant)
        # ‖y − h f‖² = |h|² ‖y/h − f‖²
        distance = (weight * (heard - sent).square()).sum()
        left = anchor * (images - first).square().sum()
        loss = distance + variation * roughness(images).sum() + left
        (slope,) = torch.autograd.grad(loss, logits)
        logits.grad = slope
        optimiser.step()
    return logits.detach().sigmoid()


def _ordered(components: Tensor, invariant: bool) -> Tensor:
    return components.sort(dim=1).values if invariant else components
