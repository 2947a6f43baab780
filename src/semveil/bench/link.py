"""The link whose training is timed: DeepJSCC on 32×32 colour images, over two waveform chains."""

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
from semveil.train.loop import Schedule, fit, resolve_precision
from semveil.train.objective import Batch, Losses, Turn

IMAGE_SHAPE = (3, 32, 32)
SYMBOLS, SUBCARRIERS = 6, 64
LATENT_DIM = 2 * SYMBOLS * SUBCARRIERS
SNR_DB = 10.0

Chain = Callable[[Tensor, Randomness], Tensor]
"""What lies between the networks: latents float ``[B, d]``, randomness → latents ``[B, d]``."""


def flat_chain(latents: Tensor, source: Randomness) -> Tensor:
    """Normalise the power, fade (Rayleigh, perfect CSI), add noise and equalise.

    Args:
        latents: float ``[B, d]``.
        source: Source of fading and noise.

    Returns:
        Equalised latents, float ``[B, d]``.

    Example:
        >>> flat_chain(torch.ones(2, 4), generator(0)).shape
        torch.Size([2, 4])
    """
    reception = Channel("rayleigh")(to_waveform(latents), SNR_DB, generator=source)
    # The last feature is the reliability, which this decoder has no input for.
    return reception.features()[:, :-1]


def ofdm_chain(latents: Tensor, source: Randomness) -> Tensor:
    """Normalise the power, and send an OFDM frame over multipath with an LMMSE estimate.

    Args:
        latents: float ``[B, 768]``: 6 symbols on 64 subcarriers.
        source: Source of taps and noise.

    Returns:
        Equalised latents, float ``[B, 768]``.

    Example:
        >>> ofdm_chain(torch.ones(2, LATENT_DIM), generator(0)).shape
        torch.Size([2, 768])
    """
    profile = exponential_profile(8, 4.0, device=latents.device)
    taps = multipath_taps(len(latents), profile, generator=source)
    data = to_waveform(latents).unflatten(1, (SYMBOLS, SUBCARRIERS))
    frame = OFDM(SUBCARRIERS, cyclic_prefix=16, n_pilot_symbols=1)
    heard = frame.link(data, taps, SNR_DB, profile=profile, generator=source)
    return torch.view_as_real(heard.symbols).flatten(1)


def random_images(count: int) -> Tensor:
    """Return images to be timed with, uint8 ``[count, 3, 32, 32]``.

    Example:
        >>> random_images(2).dtype
        torch.uint8
    """
    source = generator(0, "images")
    return torch.randint(0, 256, (count, *IMAGE_SHAPE), dtype=torch.uint8, generator=source)


class Rebuild:
    """Training of a DeepJSCC link for the mean squared error, as the training loop sees it.

    Args:
        chain: What lies between the networks.

    Example:
        >>> Rebuild(flat_chain)(torch.zeros(2, *IMAGE_SHAPE), generator(0)).shape
        torch.Size([2, 3, 32, 32])
    """

    name = "bench"

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        with seeded(0, "weights"):
            self.encoder = DeepJsccEncoder(IMAGE_SHAPE, LATENT_DIM)
            self.decoder = DeepJsccDecoder(IMAGE_SHAPE, LATENT_DIM)
        self.modules = nn.ModuleDict({"encoder": self.encoder, "decoder": self.decoder})
        self.players = {"link": list(self.modules.parameters())}

    def __call__(self, images: Tensor, source: Randomness) -> Tensor:
        """Send images ``[B, 3, 32, 32]`` and return what is rebuilt."""
        return self.decoder(self.chain(self.encoder(images), source))

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return the one turn of every step."""
        return [Turn("link", self._loss)]

    def _loss(self, batch: Batch, source: Randomness) -> Losses:
        return {"total": functional.mse_loss(self(batch.images, source), batch.images)}


def train(objective: Rebuild, images: Tensor, batch: int = 256) -> None:
    """Train for one pass over the images, with the toolkit's own loop.

    Args:
        objective: What is trained, in place.
        images: uint8 ``[N, 3, 32, 32]``, ``N`` a multiple of ``batch``.
        batch: Images per step.

    Example:
        >>> train(Rebuild(flat_chain), random_images(4), batch=2)
    """
    # Fabric announces the precision on the terminal that progress bars own.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    precision = resolve_precision("auto", torch.device("cpu"))
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)  # type: ignore[arg-type]
    labels = torch.zeros(len(images), dtype=torch.long)
    fit(objective, images, labels, Schedule(1, batch, 1e-3, 1.0, seed=0), fabric)
