"""White-box inversion without a network of Eve's own: regularised maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import (
    Eavesdropper,
    Knowledge,
    Observations,
    Progress,
    Truth,
)
from semveil.channel import Reception
from semveil.link import as_float
from semveil.metrics import Estimate, bootstrap_mean, psnr_db
from semveil.nets.convolutional import ImageShape
from semveil.phy.broadcast import per_image, squared_magnitude
from semveil.section import Section

WhiteBox = Callable[[Tensor], Tensor]
"""Images → noiseless waveform complex ``[B, k]``; differentiable, each image on its own."""


class RMLEConfig(Section):
    """Settings of the maximum-likelihood search.

    Attributes:
        steps: Steps of Adam.
        rate: Its learning rate, on the logits of the pixels.
        variation: Weight of total variation, over that of a Laplace prior of the differences of
            neighbouring pixels. The whole prior smooths too much, because it assumes independent
            differences.
        images: Number of test images that are reconstructed, the first ones.
    """

    steps: Annotated[int, Field(gt=0, le=100000)] = 300
    rate: Annotated[float, Field(gt=0, le=10)] = 0.1
    variation: Annotated[float, Field(ge=0, le=1000)] = 0.1
    images: Annotated[int, Field(gt=0)] = 64


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
    search: RMLEConfig | None = None,
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
        search: Steps, rate, weight of the prior.
        invariant: Compare the sorted real components of ``y/h`` and ``f(x)``, which a permutation
            does not change.
        start: Where the search begins, float ``[B, C, H, W]``, such as a trained inverter's
            images; the mean of ``known`` if None. It is a prior too: the loss has the squared
            distance from it, over its mean error, taken from its distance to ``known``'s mean
            (our reading).
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
    search = search or RMLEConfig()
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


@EAVESDROPPERS.register
class RMLE(Eavesdropper):
    """Maximum likelihood through the encoder, which she knows; see :func:`rmle`.

    Where a key permutes the components, she compares their sorted values. The search starts from
    the images of the best inverter, if one was trained before.

    Example:
        >>> RMLE(steps=50).limit(1000)
        64
    """

    name = "inversion/rmle"
    description = (
        "reconstructs the image by regularised maximum likelihood through the known encoder"
    )
    source = "He et al., ACSAC 2019"
    target = "image"
    needs = frozenset({"encoder"})
    Config = RMLEConfig
    config: RMLEConfig
    given: Knowledge | None = None
    start: Tensor | None = None

    @property
    def adversary(self) -> str:
        """Her name in records, which tells what she compares."""
        return self.name + ("-sorted" if self.given is not None and self.given.permutes else "")

    def network(self, inputs: int, classes: int, image_shape: ImageShape) -> nn.Module:
        """She has none.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"{self.name} has no network")

    def fit(self, given: Observations, progress: Progress | None = None) -> None:
        """Take note of what she knows; there is nothing to train."""
        assert isinstance(given, Knowledge)
        self.given, self.known = given, as_float(given.training.images[:2000])

    def listen(self, reception: Reception, snr_db: float) -> Tensor:
        """Search for the images that explain receptions best; see :class:`Eavesdropper`."""
        given = self.given
        if given is None or given.encoder is None:
            raise ValueError(f"{self.name} is given an encoder before she listens")
        if given.inverter is not None:
            self.start = given.inverter.listen(reception, snr_db).float()
        with torch.enable_grad():
            return rmle(
                reception,
                given.encoder,
                self.known,
                self.config,
                invariant=given.permutes,
                start=self.start,
                own_noise=given.own_noise,
            )

    def limit(self, images: int) -> int:
        """Return how many test images she reconstructs."""
        return self.config.images

    def figures(self, snr_db: float, truth: Truth) -> Iterator[tuple[str, str | None, Estimate]]:
        """Yield the PSNR of the images that her search started from."""
        if self.start is not None and self.given is not None:
            quality = psnr_db(self.start, truth.originals)
            yield "psnr_start_db", "image", bootstrap_mean(quality, self.given.seed)
