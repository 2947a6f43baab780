"""Costs of whole systems: operations, weights, keystream, seconds, memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from semveil.channel import Reception
from semveil.experiment.link import Link, untrained
from semveil.experiment.training import Hardware, build_objective
from semveil.link import Answer
from semveil.metrics.intervals import Estimate, exact, median_of
from semveil.nets.convolutional import ImageShape
from semveil.profiling.memory import peak_bytes
from semveil.profiling.timing import Work, interleave, ratios
from semveil.protect.keyed_transform import KeyedTransform
from semveil.protect.keystream import cipher_blocks
from semveil.recipe import Recipe
from semveil.rng import generator, uniform
from semveil.training.loop import Schedule, fit
from semveil.training.objective import Objective

K = TypeVar("K")

# Where the loss does not depend on Eve she is trained at every fourth step only: four steps are
# the shortest representative stretch.
STEPS = 4
_LEAST_S = 0.02


def costs(
    settings: Mapping[K, Recipe],
    reference: K,
    image_shape: ImageShape,
    classes: int,
    *,
    seed: int,
    batch: int,
    images: int,
    rounds: int,
    weighed: Collection[K],
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[dict[K, Link], dict[K, dict[str, Estimate]]]:
    """Measure all costs of several systems, timed in turn so that ratios are of one run."""
    systems = {
        name: untrained(recipe.scheme, recipe, image_shape, classes, seed)
        for name, recipe in settings.items()
    }
    times = timed(systems, reference, batch, images, rounds)
    found: dict[K, dict[str, Estimate]] = {}
    for done, (name, link) in enumerate(systems.items(), start=1):
        numbers = counted(link)
        if name in weighed:
            recipe = settings[name]
            prepare = partial(_chain, recipe.scheme, recipe, image_shape, classes, batch)
            peak = peak_bytes(prepare)
            if peak is not None:
                numbers["peak_memory_bytes"] = peak
        found[name] = {metric: exact(value) for metric, value in numbers.items()} | times[name]
        if progress:
            progress("systems", done, len(systems))
    return systems, found


def counted(link: Link) -> dict[str, int]:
    """Return the costs that are counted, by metric."""
    sent, trained = operations(link)
    weights = parameters(link)
    return {
        "flops": sent,
        "training_flops": trained,
        "parameters": weights["both"],
        "parameters_alice": weights["alice"],
        "parameters_bob": weights["bob"],
        "parameters_eve": weights["eve"],
        "key_bytes": key_bytes(link.transform, link.channel_uses - link.added_symbols),
    }


def parameters(link: Link) -> dict[str, int]:
    """Count the trained numbers that each end's output depends on: those that have a gradient."""
    network, messages = link.network, torch.arange(2)
    images = torch.rand((2, *link.image_shape), generator=generator(0, "images"))
    sent = link.transmit_numbered(images, None, messages)
    counts = {"alice": _needed(network, torch.view_as_real(sent))}
    with torch.no_grad():
        heard = reception(link, images, messages)
    counts["bob"] = _needed(network, link.receive(heard, messages).output)
    counts["both"] = _count(network.parameters())
    players = _objective(link).players
    counts["eve"] = sum(_count(theirs) for name, theirs in players.items() if name != "link")
    return counts


def _needed(network: nn.Module, output: Tensor) -> int:
    every = [parameter for parameter in network.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(output.sum(), every, allow_unused=True)
    return _count(p for p, g in zip(every, gradients, strict=True) if g is not None)


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _objective(link: Link) -> Objective:
    return build_objective(link.networks, [link.plan], link.plan.link.stream)


def reception(link: Link, images: Tensor, messages: Tensor, seed: int = 0) -> Reception:
    """Return what Bob receives of images ``[B, C, H, W]``, at the SNR of his training."""
    source = generator(seed, "channel")
    waveform = link.transmit_numbered(images, source, messages)
    return link.channel(waveform, link.recipe.bob.snr_db, generator=source)


def operations(link: Link) -> tuple[int, int]:
    """Count the floating-point operations of sending and of training on one image."""
    # Convolutions and matrix products, a multiplication and an addition as two operations; neither
    # what is elementwise, nor sorting, look-ups, the keystream and the channel.
    chain = Chain(link, 1)
    with FlopCounterMode(display=False) as sending:
        chain()
    batch = 2
    with FlopCounterMode(display=False) as training:
        TrainingSteps(link, batch)()
    link.networks.eval()
    return sending.get_total_flops(), training.get_total_flops() // (STEPS * batch)


def key_bytes(cover: KeyedTransform | None, symbols: int) -> int:
    """Return the keystream that one end draws for one message, bytes, in whole cipher blocks."""
    if cover is None:
        return 0
    drawn = 0

    def note(frame: FrameType, event: str, result: Any) -> None:
        nonlocal drawn
        if event == "return" and frame.f_code is cipher_blocks.__code__ and result is not None:
            drawn += result.nbytes

    # Blocks of constant norm, which a rotation requires.
    waveform = torch.ones(1, symbols, dtype=torch.complex64)
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        with torch.no_grad():
            cover.encrypt(waveform, torch.zeros(1, dtype=torch.int64))
    finally:
        sys.setprofile(before)
    return drawn


def timed(
    systems: Mapping[K, Link], reference: K, batch: int, images: int, rounds: int
) -> dict[K, dict[str, Estimate]]:
    """Time all systems in turn; arguments as in :func:`costs`."""
    pieces: dict[str, Callable[[Link], Work]] = {
        "latency": lambda link: Chain(link, 1),
        "batch": lambda link: Chain(link, batch),
        "epoch": lambda link: TrainingSteps(link, _batch(link)),
    }
    found: dict[K, dict[str, Estimate]] = {name: {} for name in systems}
    for piece, prepare in pieces.items():
        # Only one kind of work at a time in memory.
        work = {name: prepare(link) for name, link in systems.items()}
        seconds = interleave(work, rounds, _LEAST_S)
        over = ratios(seconds, reference)
        for name, own in seconds.items():
            found[name][f"{piece}_ratio"] = over[name]
            if piece == "batch":
                found[name]["throughput_per_s"] = median_of([batch / each for each in own])
            if piece == "epoch":
                steps = images // _batch(systems[name])
                own = [steps / STEPS * each for each in own]
            found[name][f"{piece}_s"] = median_of(own)
    return found


class Chain:
    """Alice's and Bob's work on a batch, keyed transform included, the channel left out."""

    def __init__(self, link: Link, batch: int) -> None:
        self.link, self.messages = link, torch.arange(batch)
        self.images = _images(link, batch).contiguous(memory_format=torch.channels_last)
        self.source = generator(0, "alice")
        with torch.no_grad():
            self.heard = reception(link, self.images, self.messages)

    @torch.no_grad()
    def __call__(self) -> Answer:
        """Encode and encrypt; equalise, decrypt and decode a reception of the same images."""
        self.link.transmit_numbered(self.images, self.source, self.messages)
        return self.link.receive(self.heard, self.messages)


class TrainingSteps:
    """Steps of the training loop of all parties."""

    def __init__(self, link: Link, batch: int, steps: int = STEPS) -> None:
        self.link, self.batch = link, batch
        self.images = (255 * _images(link, steps * batch)).to(torch.uint8)
        self.labels = torch.arange(len(self.images)) % link.classes
        self.objective = _objective(link)
        self.fabric = Hardware(torch.device("cpu")).fabric("float32")

    def __call__(self) -> None:
        """Train."""
        settings = self.link.recipe.train
        schedule = Schedule(1, self.batch, settings.lr, settings.max_grad_norm, seed=0)
        self.link.networks.train()
        fit(self.objective, self.images, self.labels, schedule, self.fabric)
        self.link.networks.eval()


def _images(link: Link, count: int) -> Tensor:
    return uniform((count, *link.image_shape), generator=generator(0, "images"))


def _batch(link: Link) -> int:
    return link.recipe.train.batch


def _chain(scheme: str, recipe: Recipe, shape: ImageShape, classes: int, batch: int) -> Chain:
    link = untrained(scheme, recipe, shape, classes, seed=0)
    # The simulated Eve is not deployed.
    link.networks.eves.clear()
    return Chain(link, batch)
