"""Costs of many devices at one receiver: keys, mixed batches, means over devices, training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from semveil.device import one_thread
from semveil.experiment.link import Link
from semveil.links.digital import DigitalLink
from semveil.metrics.intervals import Estimate, exact, median_of
from semveil.profiling.memory import in_own_process, memory
from semveil.profiling.systems import TrainingSteps, key_bytes, reception
from semveil.profiling.timing import interleave, processor_seconds
from semveil.protect.agreement import KeyPair, agree
from semveil.protect.keyed_transform import KeyedTransform, decrypt_features
from semveil.protect.keys import research_key
from semveil.protect.laplace import Laplace
from semveil.protect.multi_user import MultiUserTransform
from semveil.protect.session import Receiver, Sender, Session
from semveil.rng import generator, normal

K = TypeVar("K")

# Contexts of the two parties; the time does not depend on them.
_DEVICE, _RECEIVER = b"hers" * 4, b"his." * 4
# The memory of fewer sessions is lost among the pages that a process takes anyway.
_MIN_SESSIONS = 1000


def key_costs(devices: int) -> dict[str, Estimate]:
    """Return a receiver's ``agreement_s`` with that many devices, and ``session_bytes`` each."""
    repeats = max(1, min(7, 2000 // devices))
    with one_thread():
        seconds = median_of([agreement_seconds(devices) for _ in range(repeats)])
    held = session_bytes(devices) if devices >= _MIN_SESSIONS else None
    return {"agreement_s": seconds} | ({} if held is None else {"session_bytes": exact(held)})


def agreement_seconds(devices: int) -> float:
    """Return the processor time in which a receiver agrees on keys, without the devices' own."""
    bob = KeyPair.generate()
    public = bob.public
    pairs = [KeyPair.generate() for _ in range(devices)]
    answers = [
        (pair.public, agree(pair, public, _DEVICE, _RECEIVER).confirmation) for pair in pairs
    ]

    def receive() -> list[Session]:
        return [agree(bob, theirs, _RECEIVER, _DEVICE).confirm(tag) for theirs, tag in answers]

    return processor_seconds(receive)


def session_bytes(devices: int) -> float | None:
    """Return the memory of a session by a new process's growth; None if the system tells none."""
    return in_own_process(_session_bytes, devices)


def _session_bytes(devices: int) -> float | None:
    before = memory("VmRSS")
    keys = [research_key(0, number) for number in range(2 * devices)]
    held = [
        Session(Sender(keys[n]), Receiver(keys[devices + n], new_key=True)) for n in range(devices)
    ]
    after = memory("VmRSS")
    return None if before is None or after is None else (after - before) / len(held)


def receiver_costs(
    shared: Mapping[K, Link],
    own: Mapping[K, Link],
    *,
    devices: int,
    batch: int,
    seed: int,
) -> dict[K, dict[str, Estimate]]:
    """Measure Bob's work on a batch whose messages come from random ones of many devices."""
    work: dict[K, MixedBatch | OwnCodebooks] = {
        name: MixedBatch(link, devices, batch, seed) for name, link in shared.items()
    }
    books = {name: OwnCodebooks(link, devices, batch, seed) for name, link in own.items()}
    seconds = interleave({**work, **books}, rounds=7, least_s=0.02)
    found = {
        name: {"receiver_throughput_per_s": median_of([batch / each for each in rounds])}
        for name, rounds in seconds.items()
    }
    for name, link in shared.items():
        symbols = link.channel_uses - link.added_symbols
        found[name]["key_bytes"] = exact(key_bytes(link.transform, symbols))
        if isinstance(link.network, DigitalLink):
            found[name]["codebook_bytes"] = exact(link.network.codebook.words.nbytes)
    for name, each in books.items():
        found[name]["codebook_bytes"] = exact(each.words.nbytes)
    return found


def senders(devices: int, batch: int, seed: int) -> Tensor:
    """Return who sent each message of a batch, each device equally likely, int64 ``[batch]``."""
    return torch.randint(devices, (batch,), generator=generator(seed, "senders", devices))


class MixedBatch:
    """Bob's work on a batch from many devices: equalise, decrypt with each one's key, decode."""

    def __init__(self, link: Link, devices: int, batch: int, seed: int) -> None:
        self.link = link
        self.senders = senders(devices, batch, seed)
        self.messages = torch.arange(batch)
        images = torch.rand((batch, *link.image_shape), generator=generator(seed, "images"))
        with torch.no_grad():
            self.heard = reception(link, images, self.messages, seed)
        self.mixed: MultiUserTransform | None = None
        build: Callable[..., KeyedTransform] | None = link.plan.transform
        if build is not None:
            keys = (research_key(seed, "device", number) for number in range(devices))
            self.mixed = MultiUserTransform([build(link.network, key) for key in keys])

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Return the logits, float ``[batch, classes]``."""
        features = self.heard.features()
        if self.mixed is not None:
            decrypt = partial(self.mixed.decrypt, messages=self.messages, devices=self.senders)
            features = decrypt_features(features, decrypt)
        return self.link.network.decode(features).scores


class OwnCodebooks:
    """Bob's work on a batch of a digital link on which every device has a codebook of its own."""

    def __init__(self, link: Link, devices: int, batch: int, seed: int) -> None:
        assert isinstance(link.network, DigitalLink)
        self.network = link.network
        self.heard = MixedBatch(link, 1, batch, seed).heard
        self.senders = senders(devices, batch, seed)
        shape = (devices, *self.network.codebook.words.shape)
        self.words = normal(shape, generator=generator(seed, "codebooks"))

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Return the logits, float ``[batch, classes]``."""
        indices = self.network.indices(self.heard.features())
        logits: Tensor = self.network.classifier(self.words[self.senders.unsqueeze(1), indices])
        return logits


@torch.no_grad()
def mean_errors(features: Tensor, mechanism: Laplace, draws: int, seed: int) -> Tensor:
    """Return the error of the mean over devices when each sends its vector under local privacy."""
    wanted = mechanism.bound(features).mean(0)
    source = generator(seed, "noise", len(features))
    found = [mechanism(features.double(), source).mean(0) - wanted for _ in range(draws)]
    return torch.stack(found).square().mean(1).sqrt()


def epoch_seconds(link: Link, devices: int, each: int) -> Estimate:
    """Return the processor time of one epoch over the images of many devices, on one thread."""
    batch = link.recipe.train.batch
    train = TrainingSteps(link, batch, devices * each // batch)
    repeats = max(1, min(3, 8 // devices))
    with one_thread():
        return median_of([processor_seconds(train) for _ in range(repeats)])
