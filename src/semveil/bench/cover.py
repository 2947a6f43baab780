"""What a keyed cover costs beside the link that it covers."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.bench.base import Rounds, Tick, Work, alternate
from semveil.bench.link import IMAGE_SHAPE, flat_chain
from semveil.nets.deepjscc import DeepJsccDecoder, DeepJsccEncoder
from semveil.protect.keyed_transform import KeyedTransform
from semveil.protect.normalise import normalise_blocks
from semveil.rng import generator, normal, seeded, uniform

BATCH, LATENT_DIM = 256, 128


class Forward:
    """One forward pass of the five-layer link, as the link is used: no gradients, float32.

    Example:
        >>> Forward(batch=2)().shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(self, batch: int = BATCH) -> None:
        with seeded(0, "weights"):
            self.encoder = DeepJsccEncoder(IMAGE_SHAPE, LATENT_DIM)
            self.decoder = DeepJsccDecoder(IMAGE_SHAPE, LATENT_DIM)
        self.source = generator(0, "channel")
        self.images = uniform((batch, *IMAGE_SHAPE), generator=generator(0, "images"))

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Encode, send over Rayleigh fading, decode."""
        images: Tensor = self.decoder(flat_chain(self.encoder(self.images), self.source))
        return images


class Covering:
    """Alice's and Bob's part of covering one batch: keystream, conceal, reveal, at both ends.

    Args:
        cover: What is timed.
        batch: Images per message batch.

    Example:
        >>> from semveil.protect.shuffle import Shuffle
        >>> covering = Covering(Shuffle(bytes(32)), batch=2)
        >>> bool((covering() == covering.waveform).all())
        True
    """

    def __init__(self, cover: KeyedTransform, batch: int = BATCH) -> None:
        self.cover = cover
        self.messages = torch.arange(batch)
        latents = normal((batch, LATENT_DIM), generator=generator(0, "latents"))
        self.waveform = normalise_blocks(latents)

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Conceal and reveal the next batch."""
        self.messages = self.messages + len(self.messages)
        return self.cover.decrypt(self.cover.encrypt(self.waveform, self.messages), self.messages)


def measure_share(cover: KeyedTransform, quick: bool, tick: Tick) -> Rounds:
    """Time a cover over the forward pass of the link.

    Args:
        cover: What is timed.
        quick: Fewer rounds.
        tick: Told after every round.

    Returns:
        Seconds per batch of 256 images, ``d = 128``.

    Example:
        >>> from semveil.protect.shuffle import Shuffle
        >>> measure_share(Shuffle(bytes(32)), True, lambda done, total: None).median < 1
        True
    """
    forward, covering = Forward(), Covering(cover)
    # A cover is over so soon that a single run would be timed less well than the network's.
    repeats = 10

    def run() -> None:
        for _ in range(repeats):
            covering()

    return alternate(
        Work(f"{cover.name} at both ends, per batch", run, repeats),
        Work("forward pass of the link", forward),
        5 if quick else 41,
        tick,
    )
