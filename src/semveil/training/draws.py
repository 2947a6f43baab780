"""What the training of a link draws for each image besides fading and noise: Bob's SNR."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.recipe import Recipe
from semveil.rng import Randomness, uniform


def draw_snr_db(
    recipe: Recipe, count: int, source: Randomness, device: torch.device
) -> Tensor | float:
    """Return Bob's SNR in training, dB: his one SNR, or one per image within the recipe's span."""
    span = recipe.train.snr_span_db
    if not span:
        return recipe.bob.snr_db
    draws = uniform((count,), device=device, generator=source)
    return recipe.bob.snr_db + span * (2 * draws - 1)
