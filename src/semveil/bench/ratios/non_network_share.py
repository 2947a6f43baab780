"""How much of a training step is not a network: everything between encoder and decoder."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.bench.base import Ratio, Rounds, Tick, Work, alternate
from semveil.bench.link import LATENT_DIM, Rebuild, ofdm_chain, random_images, train
from semveil.rng import Randomness, generator, normal

_BATCH = 256


def chain_steps(latents: Tensor, gradient: Tensor, source: Randomness, steps: int) -> None:
    """Run the OFDM chain forward and backward, a number of times.

    Args:
        latents: float ``[B, d]``, with ``requires_grad``.
        gradient: What comes back from the decoder, float ``[B, d]``.
        source: Source of taps and noise.
        steps: How often.

    Example:
        >>> latents = torch.ones(2, LATENT_DIM, requires_grad=True)
        >>> chain_steps(latents, torch.ones(2, LATENT_DIM), generator(0), steps=1)
    """
    for _ in range(steps):
        torch.autograd.grad(ofdm_chain(latents, source), latents, gradient)


def measure(quick: bool, tick: Tick) -> Rounds:
    """Time the chain alone and whole steps around it; see :class:`Ratio`."""
    # The chain is run more often than a short pass has steps: it is over sooner.
    steps, repeats = (2, 4) if quick else (8, 8)
    objective, images = Rebuild(ofdm_chain), random_images(steps * _BATCH)
    source = generator(0, "chain")
    latents = normal((_BATCH, LATENT_DIM), generator=source).requires_grad_()
    gradient = normal((_BATCH, LATENT_DIM), generator=source)
    return alternate(
        Work(
            "OFDM chain, per step",
            lambda: chain_steps(latents, gradient, source, repeats),
            repeats,
        ),
        Work("training step", lambda: train(objective, images, _BATCH), steps),
        5 if quick else 21,
        tick,
    )


RATIO = Ratio(
    title="Share of a training step outside the networks, with the dearest waveform chain",
    target=("<=", 0.15),
    measure=measure,
)
