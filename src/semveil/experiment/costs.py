"""What a system costs: operations, seconds, key material."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from semveil.device import one_thread
from semveil.experiment.training import Hardware
from semveil.experiment.transceiver import Transceiver
from semveil.protect.keyed_transform import KeyedTransform
from semveil.protect.keystream import cipher_blocks
from semveil.rng import generator, uniform
from semveil.train.loop import Schedule, fit

# Where Eve has no say she moves at every fourth step: four steps are the shortest typical stretch.
STEPS = 4


def operations(ends: Transceiver) -> tuple[int, int]:
    """Count the floating-point operations of sending and of training on one image.

    Counted are convolutions and matrix products, a multiplication and an addition as two
    operations (:class:`torch.utils.flop_counter.FlopCounterMode`). Not counted: everything
    elementwise (normalisation, activations, noise, rotations by quaternions), sorting, table
    look-ups, the keystream, the channel.

    Returns:
        Operations of Alice and Bob together for one image, and of :data:`STEPS` training steps
        (forward and backward, simulated Eve included) per image.

    Example:
        >>> from semveil.recipe import Recipe
        >>> from semveil.experiment.transceiver import build
        >>> sent, trained = operations(build("deepjscc", Recipe(scheme="deepjscc"), (1, 8, 8), 10,
        ...     seed=0))
        >>> trained > 2 * sent
        True
    """
    chain = Chain(ends, 1)
    with FlopCounterMode(display=False) as sending:
        chain()
    batch = 2
    with FlopCounterMode(display=False) as training:
        TrainingSteps(ends, batch)()
    ends.trained.eval()
    return sending.get_total_flops(), training.get_total_flops() // (STEPS * batch)


class Chain:
    """Alice's and Bob's work on a batch, covers and keystream included, the channel left out.

    Args:
        ends: The system.
        batch: Images.
    """

    def __init__(self, ends: Transceiver, batch: int) -> None:
        self.ends, self.messages = ends, torch.arange(batch)
        self.images = _images(ends, batch).contiguous(memory_format=torch.channels_last)
        self.source = generator(0, "alice")
        with torch.no_grad():
            self.heard = ends.reception(self.images, self.messages)

    @torch.no_grad()
    def __call__(self) -> Tensor:
        """Encode and cover; equalise, reveal and decode what was heard of the same images."""
        self.ends.alice(self.images, self.messages, self.source)
        return self.ends.bob(self.heard, self.messages).logits


class TrainingSteps:
    """Steps of the training loop, for whoever takes part in it.

    Args:
        ends: The system; its weights change.
        batch: Images per step.
        steps: How many steps one call takes.
    """

    def __init__(self, ends: Transceiver, batch: int, steps: int = STEPS) -> None:
        self.ends, self.batch = ends, batch
        self.images = (255 * _images(ends, steps * batch)).to(torch.uint8)
        self.labels = torch.arange(len(self.images)) % ends.classes
        self.objective = ends.objective()
        self.fabric = Hardware(torch.device("cpu")).fabric("float32")

    def __call__(self) -> None:
        """Train."""
        settings = self.ends.planned.link.recipe.train
        schedule = Schedule(1, self.batch, settings.lr, settings.max_grad_norm, seed=0)
        self.ends.trained.train()
        fit(self.objective, self.images, self.labels, schedule, self.fabric)
        self.ends.trained.eval()


def _images(ends: Transceiver, count: int) -> Tensor:
    return uniform((count, *ends.image_shape), generator=generator(0, "images"))


def key_bytes(cover: KeyedTransform | None, symbols: int) -> int:
    """Return the keystream that one end draws for one message, bytes.

    Counted while it is drawn, whole cipher blocks.

    Args:
        cover: Keyed transform; None draws nothing.
        symbols: Channel uses per message.

    Example:
        >>> from semveil.protect.shuffle import Shuffle
        >>> key_bytes(Shuffle(bytes(32)), symbols=64)  # 128 words of 8 bytes
        1024
    """
    if cover is None:
        return 0
    drawn = 0

    def note(frame: FrameType, event: str, result: Any) -> None:
        nonlocal drawn
        if event == "return" and frame.f_code is cipher_blocks.__code__ and result is not None:
            drawn += result.nbytes

    # Blocks of constant norm, which a rotation insists on.
    waveform = torch.ones(1, symbols, dtype=torch.complex64)
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        with torch.no_grad():
            cover.encrypt(waveform, torch.zeros(1, dtype=torch.int64))
    finally:
        sys.setprofile(before)
    return drawn


def interleave(
    work: Mapping[str, Callable[[], object]], rounds: int, least_s: float = 0.0
) -> dict[str, list[float]]:
    """Time several pieces of work, each once per round, after one run that does not count.

    Processor time of this process on one thread: what the clock would show on a machine that does
    nothing else. What is left of others (caches, frequency) weighs on a
    round's pieces alike. Who begins changes from round to round.

    Args:
        work: What is timed, by name.
        rounds: How often.
        least_s: Within a round, a piece is repeated until it has run for so long.

    Returns:
        Processor seconds per run by name, one per round.

    Example:
        >>> len(interleave({"a": list, "b": dict}, rounds=3)["b"])
        3
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    names = list(work)
    with one_thread():
        for run in work.values():
            run()
        for number in range(rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                seconds[name].append(processor_seconds(work[name], least_s))
    return seconds


def processor_seconds(run: Callable[[], object], least_s: float = 0.0) -> float:
    """Return the processor time of one run, repeated until so much has been spent.

    Example:
        >>> processor_seconds(lambda: sum(range(100000))) > 0
        True
    """
    start, times = time.process_time(), 0
    while True:
        run()
        times += 1
        passed = time.process_time() - start
        if passed >= least_s:
            return passed / times
