"""The link that is timed: DeepJSCC on 32×32 colour images, over two waveform chains."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from semveil.channel import Channel
from semveil.link import to_waveform
from semveil.nets.deepjscc import DeepJsccDecoder, DeepJsccEncoder
from semveil.phy import OFDM, exponential_profile, multipath_taps
from semveil.rng import Randomness, generator, seeded
from semveil.training.loop import Schedule, fit, resolve_precision
from semveil.training.objective import Batch, Losses, Objective, Turn

IMAGE_SHAPE = (3, 32, 32)
SYMBOLS, SUBCARRIERS = 6, 64
LATENT_DIM = 2 * SYMBOLS * SUBCARRIERS
SNR_DB = 10.0

Chain = Callable[[Tensor, Randomness], Tensor]
"""Everything between the networks: latents float ``[B, d]``, randomness → latents ``[B, d]``."""


def flat_chain(latents: Tensor, source: Randomness) -> Tensor:
    """Normalise the power, fade (Rayleigh, perfect CSI), add noise and equalise."""
    reception = Channel("rayleigh")(to_waveform(latents), SNR_DB, generator=source)
    # The last feature is the reliability, which this decoder has no input for.
    return reception.features()[:, :-1]


def ofdm_chain(latents: Tensor, source: Randomness) -> Tensor:
    """Normalise the power, and send 6 OFDM symbols on 64 subcarriers over multipath.

    The channel estimate is LMMSE.
    """
    profile = exponential_profile(8, 4.0, device=latents.device)
    taps = multipath_taps(len(latents), profile, generator=source)
    data = to_waveform(latents).unflatten(1, (SYMBOLS, SUBCARRIERS))
    frame = OFDM(SUBCARRIERS, cyclic_prefix=16, n_pilot_symbols=1)
    heard = frame.link(data, taps, SNR_DB, profile=profile, generator=source)
    return torch.view_as_real(heard.symbols).flatten(1)


def random_images(count: int) -> Tensor:
    """Return uint8 ``[count, 3, 32, 32]``."""
    source = generator(0, "images")
    return torch.randint(0, 256, (count, *IMAGE_SHAPE), dtype=torch.uint8, generator=source)


class Rebuild:
    """Training of a DeepJSCC link for the mean squared error, as an objective of the loop."""

    name = "bench"

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        with seeded(0, "weights"):
            self.encoder = DeepJsccEncoder(IMAGE_SHAPE, LATENT_DIM)
            self.decoder = DeepJsccDecoder(IMAGE_SHAPE, LATENT_DIM)
        self.modules = nn.ModuleDict({"encoder": self.encoder, "decoder": self.decoder})
        self.players = {"link": list(self.modules.parameters())}

    def __call__(self, images: Tensor, source: Randomness) -> Tensor:
        """Return the reconstructions of images ``[B, 3, 32, 32]``."""
        return self.decoder(self.chain(self.encoder(images), source))

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return the one turn of every step."""
        return [Turn("link", self._loss)]

    def _loss(self, batch: Batch, source: Randomness) -> Losses:
        return {"total": functional.mse_loss(self(batch.images, source), batch.images)}


def train_one_pass(objective: Objective, images: Tensor, labels: Tensor, batch: int) -> None:
    """Train for one pass over uint8 images ``[N, 3, 32, 32]`` with the toolkit's own loop."""
    # Fabric prints the precision on the terminal where progress bars are drawn.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    precision = resolve_precision("auto", torch.device("cpu"))
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)  # type: ignore[arg-type]
    fit(objective, images, labels, Schedule(1, batch, 1e-3, 1.0, seed=0), fabric)


def train(objective: Rebuild, images: Tensor, batch: int = 256) -> None:
    """Train a DeepJSCC link for one pass over the images."""
    labels = torch.zeros(len(images), dtype=torch.long)
    train_one_pass(objective, images, labels, batch)
