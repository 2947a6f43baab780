"""Transfer of a trained link: some of its parts are trained further, and the cost is counted.

With a constant learning rate, the link after a number of steps does not depend on the planned
length of the training.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from semveil.errors import SemveilError
from semveil.link import LinkNetwork, as_float
from semveil.rng import Randomness, generator
from semveil.training.loop import learning_rate

PARTS = ("head", "bob", "alice", "all")
"""Bob's last layer; Bob; Alice; both."""

# Larger chunks fall out of a processor's cache and take up to twice as long.
_CHUNK = 125


def inherit(link: LinkNetwork, source: LinkNetwork, *, new_answers: bool) -> None:
    """Copy another link's weights, in place."""
    last = f"classifier.{len(_layers(link)) - 1}."
    weights = {
        name: tensor
        for name, tensor in source.state_dict().items()
        if not (new_answers and name.startswith(last))
    }
    link.load_state_dict(link.state_dict() | weights)


def _layers(link: LinkNetwork) -> nn.Sequential:
    assert isinstance(link.classifier, nn.Sequential)
    return link.classifier


def part_of(link: LinkNetwork, part: str, *, new_answers: bool) -> nn.ModuleList:
    """Return the modules of a part of a link."""
    last = _layers(link)[-1]
    found: list[nn.Module] = {
        "head": [last],
        "bob": [link.classifier],
        "alice": [link.encoder, last] if new_answers else [link.encoder],
        "all": [link.encoder, link.classifier],
    }[part]
    return nn.ModuleList(found)


def checkpoints(most: int) -> tuple[int, ...]:
    """Return the steps to measure at: 0, 10, 20, 50, 100, … up to ``most``."""
    steps = [0]
    for power in range(1, len(str(most))):
        steps += [lead * 10**power for lead in (1, 2, 5)]
    return tuple(step for step in steps if step <= most)


@dataclass(frozen=True)
class Learning:
    """Settings of further training; one ``scope`` gives the same images and channel draws."""

    batch: int
    lr: float
    max_grad_norm: float
    snr_db: float
    seed: int
    scope: str
    falls: bool = False


def learn(
    link: LinkNetwork,
    part: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: Learning,
    stops: Collection[int],
) -> Iterator[tuple[int, int]]:
    """Train a part of a link for its task, in place, and pause at some steps.

    The rest gets no gradients and keeps its batch statistics.
    """
    if len(images) < settings.batch:
        raise SemveilError(
            f"train.batch: {settings.batch} images a step, but there are only {len(images)} to "
            "adapt to"
        )
    link.requires_grad_(False)
    part.requires_grad_(True)
    parameters = list(part.parameters())
    optimiser = torch.optim.Adam(parameters, lr=settings.lr, fused=True)
    per_epoch = len(images) // settings.batch
    flops, loss = 0, torch.zeros(())
    order = torch.empty(0)
    for step in range(max(stops) + 1):
        if step in stops:
            if not loss.isfinite():
                raise SemveilError(f"{settings.scope}: loss is not finite by step {step}")
            yield step, step * flops
        if step == max(stops):
            return
        if step in stops or step == 0:
            # A caller may change the mode of the link at a stop.
            link.eval()
            part.train()
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            shuffle = generator(settings.seed, settings.scope, "order", epoch)
            order = torch.randperm(len(images), generator=shuffle).to(images.device)
        chosen = order[place * settings.batch : (place + 1) * settings.batch]
        source = generator(settings.seed, settings.scope, "step", step, device=images.device)
        # Every step costs the same; the first is counted.
        with nullcontext() if step else FlopCounterMode(display=False) as counter:
            optimiser.zero_grad(set_to_none=True)
            loss = _loss(link, images[chosen], labels[chosen], settings.snr_db, source)
            loss.backward()
        if counter:
            flops = counter.get_total_flops()
        nn.utils.clip_grad_norm_(parameters, settings.max_grad_norm)
        if settings.falls:
            optimiser.param_groups[0]["lr"] = learning_rate(settings.lr, step, max(stops))
        optimiser.step()


def _loss(
    link: LinkNetwork, images: Tensor, labels: Tensor, snr_db: float, source: Randomness
) -> Tensor:
    pixels = as_float(images).contiguous(memory_format=torch.channels_last)
    return F.cross_entropy(link(pixels, snr_db, generator=source).scores, labels)


@torch.no_grad()
def waveforms(link: LinkNetwork, images: Tensor) -> Tensor:
    """Return the waveforms of images uint8 ``[N, C, H, W]``: complex ``[N, k]``."""
    link.eval()
    chunks = (as_float(part) for part in images.split(_CHUNK))
    layout = torch.channels_last
    return torch.cat([link.transmit(part.contiguous(memory_format=layout)) for part in chunks])


@torch.no_grad()
def hits(link: LinkNetwork, sent: Tensor, labels: Tensor, snr_db: float, source: Randomness) -> int:
    """Return the number of waveforms ``[N, k]`` that Bob classifies as their labels ``[N]``."""
    link.eval()
    answer = link.decode(link.channel(sent, snr_db, generator=source).features())
    return int((answer.scores.argmax(1) == labels).sum())
