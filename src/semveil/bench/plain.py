"""The reference of the training speed: the same link as one would write it without a thought."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from semveil.bench.link import Rebuild
from semveil.rng import Randomness, generator


class PlainLink(nn.Module):
    """A DeepJSCC link of torch's own layers, with the weights of another.

    Args:
        like: Whose weights and whose chain it takes.

    Example:
        >>> from semveil.bench.link import IMAGE_SHAPE, flat_chain
        >>> PlainLink(Rebuild(flat_chain))(torch.zeros(2, *IMAGE_SHAPE), generator(0)).shape
        torch.Size([2, 3, 32, 32])
    """

    def __init__(self, like: Rebuild) -> None:
        super().__init__()
        self.chain, self.start = like.chain, like.decoder.start
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
        self.encoder.load_state_dict(like.encoder.layers.state_dict())
        self.decoder.load_state_dict(like.decoder.layers.state_dict())

    def forward(self, images: Tensor, source: Randomness) -> Tensor:
        """Send images ``[B, 3, 32, 32]`` and return what is rebuilt."""
        latents = self.encoder(images).permute(0, 2, 3, 1).flatten(1)
        maps = self.chain(latents, source).unflatten(1, self.start).permute(0, 3, 1, 2)
        return self.decoder(maps.contiguous())


def train_plainly(link: PlainLink, images: Tensor, batch: int = 64) -> None:
    """Train for one pass over the images: float32, small batches, the five lines of any tutorial.

    Batches are taken by indexing, which is faster than a ``DataLoader``.

    Args:
        link: What is trained, in place.
        images: uint8 ``[N, 3, 32, 32]``.
        batch: Images per step.

    Example:
        >>> from semveil.bench.link import flat_chain, random_images
        >>> train_plainly(PlainLink(Rebuild(flat_chain)), random_images(4), batch=2)
    """
    optimiser = torch.optim.Adam(link.parameters(), lr=1e-3)
    source = generator(0, "plain")
    for chosen in torch.randperm(len(images), generator=source).split(batch):
        pixels = images[chosen].float() / 255
        optimiser.zero_grad()
        functional.mse_loss(link(pixels, source), pixels).backward()
        optimiser.step()
