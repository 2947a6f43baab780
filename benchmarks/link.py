"""The link that is timed: DeepJSCC for images on 32×32 colour images, as its scheme builds it."""

from __future__ import annotations

import logging
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from semveil import recipe as recipes
from semveil.link import LinkNetwork, to_waveform
from semveil.rng import Randomness, generator, seeded
from semveil.schemes import SCHEMES
from semveil.training.loop import Schedule, fit, resolve_precision
from semveil.training.objective import Objective

IMAGE_SHAPE = (3, 32, 32)
SNR_DB = 10.0
FLAT: dict[str, Any] = {"fading": "rayleigh"}
# 768 reals are six symbols on 64 subcarriers; the channel estimate is LMMSE.
OFDM: dict[str, Any] = {"fading": "multipath", "csi": "estimated", "ofdm": {"decay": 4.0}}
LATENT_DIM, RATIO = 768, "1/8"


class ImageTraining:
    """A link over a channel, and the objective that trains it.

    Args:
        bob: Settings of Bob's channel.
        ratio: Bandwidth ratio.
    """

    def __init__(self, bob: dict[str, Any], ratio: str = RATIO) -> None:
        recipe = recipes.check(
            {
                "scheme": "deepjscc-image",
                "deepjscc-image": {"bandwidth_ratio": ratio},
                "bob": {"snr_db": SNR_DB, **bob},
                "train": {"reconstruction_weight": 1},
            }
        )
        scheme = SCHEMES.get("deepjscc-image")(recipe)
        with seeded(0, "weights"):
            self.link = scheme.build(IMAGE_SHAPE, classes=10)
        self.objective = scheme.objective(self.link, None)


def rebuilt(link: LinkNetwork, images: Tensor, source: Randomness) -> Tensor:
    """Return Bob's reconstructions of images ``[B, 3, 32, 32]``."""
    images_ = link(images, SNR_DB, generator=source).images
    assert images_ is not None
    return images_


def chain(link: LinkNetwork, latents: Tensor, source: Randomness) -> Tensor:
    """Return equalised latents ``[B, d]``: everything between the networks."""
    reception = link.channel(to_waveform(latents), SNR_DB, generator=source)
    # The last feature is the reliability, which this decoder has no input for.
    return reception.features()[:, :-1]


def random_images(count: int) -> Tensor:
    """Return uint8 ``[count, 3, 32, 32]``."""
    source = generator(0, "images")
    return torch.randint(0, 256, (count, *IMAGE_SHAPE), dtype=torch.uint8, generator=source)


def train(
    objective: Objective,
    images: Tensor,
    batch: int = 256,
    labels: Tensor | None = None,
    schedule: Schedule | None = None,
) -> None:
    """Train on uint8 images ``[N, C, H, W]`` with the toolkit's own loop, for one pass if not told.

    ``batch`` is that of the one pass.
    """
    # Fabric prints the precision on the terminal where progress bars are drawn.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    precision = resolve_precision("auto", torch.device("cpu"))
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)  # type: ignore[arg-type]
    if labels is None:
        labels = torch.zeros(len(images), dtype=torch.long)
    fit(objective, images, labels, schedule or Schedule(1, batch, 1e-3, 1.0, seed=0), fabric)
