"""Training of DeepJSCC: against a plain loop, and the share of it outside the networks."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.agreement import require
from benchmarks.link import (
    FLAT,
    LATENT_DIM,
    OFDM,
    ImageTraining,
    chain,
    random_images,
    rebuilt,
    train,
)
from benchmarks.timing import OnRound, Ratio, Rounds, Work, alternate
from semveil.link import LinkNetwork, as_float
from semveil.nets.deepjscc import DeepJsccDecoder, DeepJsccEncoder
from semveil.rng import Randomness, generator, normal


class PlainLink(nn.Module):
    """A DeepJSCC link of torch's own layers, with the weights and channel of another."""

    def __init__(self, like: LinkNetwork) -> None:
        super().__init__()
        encoder, decoder = like.encoder, like.reconstructor
        assert isinstance(encoder, DeepJsccEncoder)
        assert isinstance(decoder, DeepJsccDecoder)
        self.channel, self.start = partial(chain, like), decoder.start
        features = self.start[-1]
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2),
            nn.PReLU(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),
            nn.PReLU(),
            nn.Conv2d(32, 32, 5, padding=2),
            nn.PReLU(),
            nn.Conv2d(32, 32, 5, padding=2),
            nn.PReLU(),
            nn.Conv2d(32, features, 5, padding=2),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(features, 32, 5, padding=2),
            nn.PReLU(),
            nn.ConvTranspose2d(32, 32, 5, padding=2),
            nn.PReLU(),
            nn.ConvTranspose2d(32, 32, 5, padding=2),
            nn.PReLU(),
            nn.ConvTranspose2d(32, 16, 5, stride=2, padding=2, output_padding=1),
            nn.PReLU(),
            nn.ConvTranspose2d(16, 3, 5, stride=2, padding=2, output_padding=1),
            nn.Sigmoid(),
        )
        self.encoder.load_state_dict(encoder.layers.state_dict())
        self.decoder.load_state_dict(decoder.layers.state_dict())

    def forward(self, images: Tensor, source: Randomness) -> Tensor:
        """Return the reconstructions of images ``[B, 3, 32, 32]``."""
        latents = self.encoder(images).permute(0, 2, 3, 1).flatten(1)
        maps = self.channel(latents, source).unflatten(1, self.start).permute(0, 3, 1, 2)
        return self.decoder(maps.contiguous())


def train_plainly(link: PlainLink, images: Tensor, batch: int = 64) -> None:
    """Train for one pass over uint8 images: float32, small batches, as in a tutorial.

    Batches are taken by indexing, which is faster than a ``DataLoader``.
    """
    optimiser = torch.optim.Adam(link.parameters(), lr=1e-3)
    source = generator(0, "plain")
    for chosen in torch.randperm(len(images), generator=source).split(batch):
        pixels = images[chosen].float() / 255
        optimiser.zero_grad()
        functional.mse_loss(link(pixels, source), pixels).backward()
        optimiser.step()


def require_same_network(link: LinkNetwork, plain: PlainLink) -> None:
    """Raise :class:`DisagreementError` unless reconstructions and float32 gradients agree."""
    images = as_float(random_images(8))
    ours, theirs = rebuilt(link, images, generator(0, "same")), plain(images, generator(0, "same"))
    require("images rebuilt by the two training loops", ours, theirs)
    gradients, wanted = (
        torch.autograd.grad(functional.mse_loss(result, images), list(side.parameters()))
        for result, side in ((ours, link), (theirs, plain))
    )
    for mine, other in zip(gradients, wanted, strict=True):
        require("gradients of the two training loops", mine, other, tolerance=1e-3)


def measure_speed(quick: bool, on_round: OnRound) -> Rounds:
    """Time one pass over the same images by each loop."""
    training = ImageTraining(FLAT)
    plain = PlainLink(training.link)
    require_same_network(training.link, plain)
    images = random_images(512 if quick else 2048)
    return alternate(
        Work("plain loop, per image", lambda: train_plainly(plain, images), len(images)),
        Work("training loop", lambda: train(training.objective, images), len(images)),
        5 if quick else 21,
        on_round,
    )


def measure_share(quick: bool, on_round: OnRound) -> Rounds:
    """Time the OFDM chain alone, forward and backward, and whole training steps around it."""
    batch, steps = 256, 2 if quick else 8
    training, images = ImageTraining(OFDM), random_images(steps * batch)
    source = generator(0, "chain")
    latents = normal((batch, LATENT_DIM), generator=source).requires_grad_()
    gradient = normal((batch, LATENT_DIM), generator=source)

    def between() -> None:
        torch.autograd.grad(chain(training.link, latents, source), latents, gradient)

    return alternate(
        Work("OFDM chain, per step", between, repeats=4 if quick else 8),
        Work("training step", lambda: train(training.objective, images, batch), steps),
        5 if quick else 21,
        on_round,
    )


RATIOS = {
    "non_network_share": Ratio(
        title="Share of a training step outside the networks, with the most costly waveform chain",
        target=("<=", 0.15),
        measure=measure_share,
    ),
    "train_vs_plain": Ratio(
        title="Training speed: DeepJSCC over Rayleigh fading, against a plain float32 loop",
        target=(">=", 2.0),
        measure=measure_speed,
    ),
}
