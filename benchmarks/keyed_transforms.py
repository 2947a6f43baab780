"""Cost of a keyed transform at both ends, over a forward pass of five-layer DeepJSCC."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.link import FLAT, IMAGE_SHAPE, ImageTraining, rebuilt
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil.protect.keyed_transform import KeyedTransform
from semveil.protect.normalise import normalise_blocks
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator, normal, uniform

BATCH, LATENT_DIM, RATIO = 256, 128, "1/48"


class Forward:
    """One forward pass of the five-layer link in use: no gradients, float32."""

    def __init__(self, batch: int = BATCH) -> None:
        self.link = ImageTraining(FLAT, RATIO).link.eval()
        self.source = generator(0, "channel")
        self.images = uniform((batch, *IMAGE_SHAPE), generator=generator(0, "images"))

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Encode, send over Rayleigh fading, decode."""
        return rebuilt(self.link, self.images, self.source)


class RoundTrip:
    """Keystream, encryption and decryption of one batch of messages, at both ends.

    Example:
        >>> trip = RoundTrip(Shuffle(bytes(32)), batch=2)
        >>> bool((trip() == trip.waveform).all())
        True
    """

    def __init__(self, transform: KeyedTransform, batch: int = BATCH) -> None:
        self.transform = transform
        self.messages = torch.arange(batch)
        latents = normal((batch, LATENT_DIM), generator=generator(0, "latents"))
        self.waveform = normalise_blocks(latents)

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Encrypt and decrypt the next batch."""
        self.messages = self.messages + len(self.messages)
        sent = self.transform.encrypt(self.waveform, self.messages)
        return self.transform.decrypt(sent, self.messages)


def measure(kind: Callable[[bytes], KeyedTransform], quick: bool, on_round: OnRound) -> Rounds:
    """Time a keyed transform over the forward pass of the link, per batch of 256, ``d = 128``."""
    transform = kind(bytes(32))  # a public key takes as long as a secret one
    return alternate(
        Work(f"{transform.name} at both ends, per batch", RoundTrip(transform), repeats=10),
        Work("forward pass of the link", Forward()),
        5 if quick else 41,
        on_round,
    )


RATIOS = {
    "rotation_share": Ratio(
        title="Keyed rotation at both ends, over a forward pass of five-layer DeepJSCC",
        target=("<=", 0.10),
        measure=partial(measure, Rotation),
    ),
    "shuffle_share": Ratio(
        title="Keyed shuffle at both ends, over a forward pass of five-layer DeepJSCC",
        target=("<=", 0.10),
        measure=partial(measure, Shuffle),
    ),
}
