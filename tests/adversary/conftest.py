"""A tiny unprotected link, trained on the digits, that every attack must succeed on."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from semveil.adversary.eavesdrop.observations import Intercepts, Recording, numbered
from semveil.channel import Channel
from semveil.data import load
from semveil.link import LinkNetwork, as_float
from semveil.metrics import psnr_db
from semveil.nets.convolutional import ConvEncoder, Reconstructor
from semveil.nets.dense import Mlp
from semveil.rng import generator, seeded


@dataclass
class Victim:
    """A trained link and the parties' images."""

    link: LinkNetwork
    channel: Channel
    splits: object

    def record(self, name, send=None) -> Recording:
        part = getattr(self.splits, name)
        return Recording(
            send or numbered(lambda images, source: self.link.transmit(images)),
            torch.from_numpy(part.x),
            torch.from_numpy(part.y),
            purpose=name,
            seed=0,
            device=torch.device("cpu"),
        )

    def hear(self, name, send=None) -> Intercepts:
        return Intercepts(self.record(name, send), self.channel)

    def receive(self, reception):
        return self.link.decode(reception.features())

    @property
    def floor_db(self) -> float:
        """PSNR of answering with the mean image."""
        test = torch.from_numpy(self.splits.test.x) / 255
        mean = torch.from_numpy(self.splits.adversary.x.mean(0)).float() / 255
        return self.quality(mean.expand_as(test))

    def quality(self, images: Tensor) -> float:
        test = torch.from_numpy(self.splits.test.x[: len(images)]) / 255
        return float(psnr_db(images, test).mean())


def fresh_link(seed):
    """Return a plain link, without normalisation, that attacks neither break at once nor miss."""
    shape = (1, 8, 8)
    with seeded(seed, "link"):
        return LinkNetwork(
            ConvEncoder(shape, 32, 8), Mlp(33, (64, 64), 10), Reconstructor(33, shape, 8), Channel()
        )


def trained(seed, epochs):
    splits = load("digits")
    link, channel = fresh_link(seed), Channel("awgn")
    x, y = torch.from_numpy(splits.system.x), torch.from_numpy(splits.system.y)

    def loss(rows, source):
        images = as_float(x[rows])
        heard = channel(link.transmit(images), 10.0, generator=source)
        answer = link.decode(heard.features())
        return F.cross_entropy(answer.logits, y[rows]) + 10 * F.mse_loss(answer.images, images)

    optimiser = torch.optim.Adam(link.parameters(), lr=2e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for epoch in range(epochs):
        source = generator(seed, "victim", "epoch", epoch)
        for rows in torch.randperm(len(x), generator=source).split(256):
            error = loss(rows, source)
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
        falling.step()
    link.eval()
    return Victim(link.requires_grad_(False), channel, splits)


@pytest.fixture(scope="session")
def victim():
    return trained(0, 80)


@pytest.fixture(scope="session")
def other_victim():
    """Another link of the same kind, trained for less long."""
    return trained(1, 20)
