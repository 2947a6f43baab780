"""dFIL: the Fisher information that a noisy waveform holds of every pixel (Maeng et al., 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from semveil.metrics.base import METRICS, Metric

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def dfil(
    transmit: Callable[[Tensor], Tensor],
    images: Tensor,
    noise_variance: float,
    source: torch.Generator,
    probes: int = 8,
) -> Tensor:
    """Return the diagonal Fisher information leakage of every image (arXiv 2305.04146).

    In white noise, ``I(x) = JᵀJ/σ²`` per real component and ``dFIL = tr I(x) / n``, with ``J`` the
    Jacobian of the waveform's ``2k`` reals with respect to the image's ``n``. Any *unbiased*
    reconstructor has a mean squared error per pixel of at least ``1/dFIL``. One that guesses from
    experience, such as a trained network, is biased and may stay below. With fading known to the
    receiver, this is the mean over ``E|h|² = 1``.

    The trace is Hutchinson's estimate through the transposed Jacobian: unbiased, with a standard
    error that falls as one over the root of ``probes``.

    Args:
        transmit: Images → noiseless waveform complex ``[B, k]``; differentiable, each image on
            its own.
        images: float ``[B, C, H, W]``.
        noise_variance: Noise σ² per complex symbol; each real carries half of it.
        source: The probes' random signs.
        probes: How many are averaged.

    Raises:
        ValueError: If the noise variance or the number of probes is not positive.

    Example:
        >>> import torch
        >>> def twice(images):
        ...     return torch.view_as_complex(2 * images.flatten(1).unflatten(1, (-1, 2)))
        >>> dfil(twice, torch.rand(3, 1, 2, 2), 2.0, torch.Generator().manual_seed(0))
        tensor([4., 4., 4.])
    """
    import torch

    from semveil.rng import uniform

    if noise_variance <= 0 or probes < 1:
        raise ValueError("dFIL needs noise, and at least one probe")
    with torch.enable_grad():
        given = images.detach().requires_grad_()
        sent = torch.view_as_real(transmit(given)).flatten(1)
        total = torch.zeros(len(images), device=images.device)
        for probe in range(probes):
            signs = uniform(tuple(sent.shape), device=sent.device, generator=source).round() * 2 - 1
            (slope,) = torch.autograd.grad(sent, given, signs, retain_graph=probe < probes - 1)
            total += slope.flatten(1).square().sum(1)
    return total / probes / (noise_variance / 2) / images[0].numel()


@METRICS.register
class Dfil(Metric):
    """Diagonal Fisher information leakage of an image, per pixel."""

    name = "dfil"
    title = "dFIL"
    source = "Maeng et al., NeurIPS 2023, arXiv 2305.04146"
    bounds = (0.0, math.inf)
    floor_value = 0.0


@METRICS.register
class ErrorBound(Metric):
    """Lower bound on the mean squared error per pixel of unbiased reconstructors."""

    name = "mse_floor_db"
    title = "least squared error"
    source = Dfil.source
    unit = "dB"
    decimals = 2
    higher_is_better = False
