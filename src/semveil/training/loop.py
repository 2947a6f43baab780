"""The training loop: alternating turns on Lightning Fabric, resumable at any step.

Every random number of a step is a function of the seed, the stage and the step alone, so a
checkpoint holds weights, optimisers and the step, and a resumed run ends at the same numbers.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from semveil.device import channels_last, native_bfloat16
from semveil.errors import SemveilError
from semveil.facts import CheckpointFacts, check_facts
from semveil.files import write_atomic
from semveil.heap import kept_heap
from semveil.link import as_float
from semveil.rng import Randomness, Shard, generator

if TYPE_CHECKING:
    from lightning_fabric import Fabric
from semveil.training.augment import Augmentation, Augmented
from semveil.training.average import WeightAverage
from semveil.training.checkpoint import (
    load_tensors,
    load_weights,
    optimiser_tensors,
    restore_optimiser,
    save_tensors,
)
from semveil.training.objective import Batch, Objective, Turn
from semveil.training.optimisers import optimisers, set_rate

Progress = Callable[[str, int, int], None]
"""Called with ``(stage, steps done, steps in all)``."""

_LOG_EVERY = 20
_SAVE_EVERY_S = 5.0


@dataclass(frozen=True)
class Schedule:
    """How long and how a training goes.

    Attributes:
        epochs: Passes over the images.
        batch: Images per step.
        lr: Peak learning rate of Adam.
        max_grad_norm: Gradients are scaled down to this norm.
        seed: Seed of the order of the images and of all that is drawn.
        identity: What tells its checkpoints from those of another training.
        muon_lr: Peak learning rate of Muon for the filters of the link's convolutions; None trains
            them by Adam.
        falls: ``cosine``, after a ramp, or ``linear``.
        augmentation: How images are changed; None leaves them as they are.
        average: Decay per step of the average of weights that training ends with; 0 for the last.
    """

    epochs: int
    batch: int
    lr: float
    max_grad_norm: float
    seed: int
    identity: str = ""
    muon_lr: float | None = None
    falls: str = "cosine"
    augmentation: Augmentation | None = None
    average: float = 0.0


def resolve_precision(wanted: str, device: torch.device) -> str:
    """Return Fabric's name of a precision; ``auto`` is bf16 where the hardware computes it."""
    if wanted == "auto":
        wanted = "bfloat16" if native_bfloat16(device) else "float32"
    return {"float32": "32-true", "bfloat16": "bf16-mixed"}[wanted]


class _Run:
    """Optimisers, randomness and bookkeeping of one stage in one process."""

    def __init__(self, fabric: Fabric, objective: Objective, schedule: Schedule) -> None:
        self.fabric, self.objective, self.schedule = fabric, objective, schedule
        objective.modules.to(fabric.device)
        channels_last(objective.modules)
        self.optimisers = {
            player: optimisers(objective, parameters, schedule.lr, schedule.muon_lr)
            for player, parameters in objective.players.items()
        }
        average = schedule.average
        self.average = WeightAverage(objective.modules, average) if average else None

    def _named(self) -> Iterator[tuple[str, Optimizer]]:
        """Yield the optimisers with their names in checkpoints."""
        for player, each in self.optimisers.items():
            yield from zip((player, f"{player}.muon"), each, strict=False)

    def state(self) -> dict[str, Tensor]:
        tensors = {f"module/{k}": v for k, v in self.objective.modules.state_dict().items()}
        for name, optimiser in self._named():
            tensors |= optimiser_tensors(name, optimiser)
        return tensors if self.average is None else tensors | self.average.state()

    def restore(self, tensors: dict[str, Tensor], where: Path) -> None:
        weights = {
            name.removeprefix("module/"): tensor
            for name, tensor in tensors.items()
            if name.startswith("module/")
        }
        load_weights(self.objective.modules, weights, where)
        for name, optimiser in self._named():
            restore_optimiser(name, optimiser, tensors, where)
        if self.average is not None:
            self.average.restore(tensors, where)

    def randomness(self, *scope: str | int) -> Randomness:
        fresh = generator(
            self.schedule.seed, self.objective.name, *scope, device=self.fabric.device
        )
        if self.fabric.world_size == 1:
            return fresh
        return Shard(fresh, self.fabric.global_rank, self.fabric.world_size)

    def take(
        self, turn: Turn, batch: Batch, source: Randomness, rate: float
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Take one turn at a rate relative to the peak.

        Return its losses over all processes, and whether all is finite.
        """
        parameters = self.objective.players[turn.player]
        for each in parameters:
            each.grad = None
        with self.fabric.autocast():
            losses = turn.loss(batch, source)
        # Only this player's gradients; the loss also depends on the other players' parameters.
        self.fabric.backward(losses["total"], inputs=parameters)
        self._average_gradients(parameters)
        norm = nn.utils.clip_grad_norm_(parameters, self.schedule.max_grad_norm)
        for optimiser in self.optimisers[turn.player]:
            set_rate(optimiser, rate)
            optimiser.step()
        averages = {name: self._average(value.detach()) for name, value in losses.items()}
        # A finite loss may have a gradient that is not.
        sound = torch.stack([norm, *averages.values()]).isfinite().all()
        return averages, sound

    def _average(self, value: Tensor) -> Tensor:
        if self.fabric.world_size == 1:
            return value
        return torch.as_tensor(self.fabric.all_reduce(value, reduce_op="mean"))

    def _average_gradients(self, parameters: list[nn.Parameter]) -> None:
        # One flat message per turn: DistributedDataParallel hooks whole modules, but turns update
        # parts of overlapping graphs.
        if self.fabric.world_size == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        flat = torch.as_tensor(self.fabric.all_reduce(flat, reduce_op="mean"))
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()


def learning_rate(peak: float, step: int, steps: int, falls: str = "cosine") -> float:
    """Warm up over the first twentieth, then fall to zero along a half cosine; or fall linearly."""
    if falls == "linear":
        return peak * (1 - step / steps)
    warm = max(1, steps // 20)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def checkpoint_path(folder: Path, stage: str) -> Path:
    """Return the path of a stage's checkpoint in a run's folder."""
    return folder / f"{stage.replace('/', '.')}.checkpoint.safetensors"


@kept_heap()
def fit(
    objective: Objective,
    images: Tensor,
    labels: Tensor,
    schedule: Schedule,
    fabric: Fabric,
    folder: Path | None = None,
    progress: Progress | None = None,
    private: Tensor | None = None,
) -> list[dict[str, float]]:
    """Train an objective, from its checkpoint if there is one."""
    world = fabric.world_size
    if schedule.batch % world:
        raise SemveilError(f"train.batch: {schedule.batch} images are not shared by {world} evenly")
    if len(images) < schedule.batch:
        raise SemveilError(
            f"train.batch: {schedule.batch} images a step, but the set has only {len(images)}"
        )
    run = _Run(fabric, objective, schedule)
    changes = schedule.augmentation
    images, labels = images.to(fabric.device), labels.to(fabric.device)
    private = None if private is None else private.to(fabric.device)
    augmented = None
    if changes is not None:
        mirrored = generator(schedule.seed, objective.name, "mirrored")
        augmented = Augmented(images, changes, mirrored)
    per_epoch = len(images) // schedule.batch
    steps = per_epoch * schedule.epochs
    checkpoint = checkpoint_path(folder, objective.name) if folder else None
    start, history = 0, list[dict[str, float]]()
    if checkpoint and checkpoint.exists():
        tensors, facts = load_tensors(checkpoint)
        run.restore(tensors, checkpoint)
        stated = check_facts(facts, CheckpointFacts, checkpoint)
        if (stated.stage, stated.identity) != (objective.name, schedule.identity):
            raise SemveilError(
                f"checkpoint {checkpoint} is of another training: its stage, recipe or seed differs"
            )
        start, history = stated.step, stated.history

    bad = torch.tensor(steps + 1, device=fabric.device)
    losses: dict[str, Tensor] = {}
    order = torch.empty(0)
    saved = time.monotonic()
    for step in range(start, steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0 or step == start:
            shuffle = generator(schedule.seed, objective.name, "order", epoch)
            order = torch.randperm(len(images), generator=shuffle).to(fabric.device)
        share = schedule.batch // world
        first = place * schedule.batch + fabric.global_rank * share
        chosen = order[first : first + share]
        if augmented is None:
            # Copies whole images; indexing copies one value after another.
            taken, smaller = images.index_select(0, chosen), None
        else:
            taken = augmented.take(chosen, epoch, run.randomness("augment", step))
            smaller = augmented.smaller(as_float(taken), step / steps)
        pixels = as_float(taken).contiguous(memory_format=torch.channels_last)
        classes = None if private is None else private[chosen]
        batch = Batch(pixels, labels[chosen], classes, smaller)
        source = run.randomness("step", step)
        rate = learning_rate(1.0, step, steps, schedule.falls)
        done = step + 1
        for turn in objective.turns(step, per_epoch):
            averages, sound = run.take(turn, batch, source, rate)
            for name, value in averages.items():
                losses[f"{turn.player}_{name}" if name == "total" else name] = value
            # Recorded on the device and read every 20 steps, so that no step waits.
            bad = torch.where(sound | (bad < done), bad, done)
        last = done == steps
        if run.average is not None:
            run.average.update()
            if last:
                run.average.hand_over(objective.modules)
        if done % _LOG_EVERY == 0 or last:
            if int(bad) <= steps:
                there = checkpoint is not None and checkpoint.exists()
                kept = f"; {checkpoint} keeps the last good state" if there else ""
                raise SemveilError(
                    f"{objective.name}: loss is not finite at step {int(bad)} of {steps}{kept}"
                )
            history.append({"step": done} | {name: float(v) for name, v in losses.items()})
            losses = {}
            if checkpoint and (last or time.monotonic() - saved > _SAVE_EVERY_S):
                if fabric.is_global_zero:
                    facts = {"stage": objective.name, "identity": schedule.identity}
                    save_tensors(
                        checkpoint, run.state(), facts | {"step": done, "history": history}
                    )
                saved = time.monotonic()
            if progress:
                progress(objective.name, done, steps)
    return history


def write_history(path: Path, history: dict[str, list[dict[str, float]]]) -> None:
    """Write the losses of a run's stages as one JSON object a line."""
    lines = [json.dumps({"stage": stage} | row) for stage, rows in history.items() for row in rows]
    write_atomic(path, "".join(line + "\n" for line in lines))
