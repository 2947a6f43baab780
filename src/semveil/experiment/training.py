"""Training of everything that a run needs, on one process or several."""

from __future__ import annotations

import atexit
import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing import ProcessRaisedException

from semveil.adversary.perturb.cooperative import WaveformLayer
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.experiment.plan import SystemPlan, links, plan
from semveil.facts import WeightFacts, check_facts
from semveil.files import temporary_folder
from semveil.link import LinkNetwork
from semveil.nets.convolutional import ImageShape
from semveil.nets.eavesdropper import SimulatedEve
from semveil.recipe import Recipe, changes, check
from semveil.records import Asked, from_plain, to_plain
from semveil.rng import seeded
from semveil.training import TRAININGS
from semveil.training.augment import Augmentation
from semveil.training.checkpoint import load_tensors, load_weights, save_tensors
from semveil.training.loop import Progress, Schedule, fit, resolve_precision
from semveil.training.minmax import MinMaxConfig
from semveil.training.objective import Objective
from semveil.training.robust import Robust

if TYPE_CHECKING:
    from lightning_fabric import Fabric

# Weights of the run that adversarial training began with, in the folder of the new run.
BASE = "base.safetensors"
History = dict[str, list[dict[str, float]]]
TrainingData = tuple[Tensor, Tensor, Tensor | None]
"""Images uint8 ``[N, C, H, W]``, their classes and, if they have any, private classes ``[N]``."""


@dataclass(frozen=True)
class Hardware:
    """What a run computes on: processes, each with a device of its own, share every batch."""

    device: torch.device
    devices: int = 1

    def fabric(self, precision: str, meeting: Path | None = None) -> Fabric:
        """Return Fabric for it, not launched; ``precision`` as in the recipe.

        Several processes need the path of a file, not yet there, by which they find each other.
        """
        # Slow to import, and needed to train alone.
        from semveil.experiment.loopback import Fabric, Loopback

        return Fabric(
            accelerator=self.device.type,
            devices=self.devices,
            strategy="auto" if meeting is None else Loopback(meeting),
            precision=resolve_precision(precision, self.device),  # type: ignore[arg-type]
        )


class TrainedNetworks(nn.Module):
    """The networks of a run: links, the simulated Eves of those that have one, learned layers."""

    def __init__(
        self,
        systems: list[SystemPlan],
        recipe: Recipe,
        image_shape: ImageShape,
        classes: int,
        seed: int,
        private_classes: int | None = None,
    ) -> None:
        super().__init__()
        self.recipe, self.image_shape, self.classes = recipe, image_shape, classes
        self.private = private_classes is not None
        simulated = recipe.of(MinMaxConfig)
        self.planned = {link.stream: link for link in links(systems)}
        self.links, self.eves = nn.ModuleDict(), nn.ModuleDict()
        for name, link in self.planned.items():
            # All schemes start from the same weights: what differs is what they were trained for.
            with seeded(seed, "weights"):
                self.links[name] = link.scheme.build(image_shape, classes)
                if link.scheme.simulates:
                    self.eves[name] = SimulatedEve(
                        simulated.eve_capacity,
                        recipe.link.latent_dim + 1,
                        private_classes or classes,
                        image_shape,
                        simulated.eves,
                        private=self.private,
                    )
            check_sizes(self.link(name), link.recipe, image_shape)
        self._surrogates = {each.link.stream for each in systems if each.layer is not None}
        self.layers = nn.ModuleDict()
        for system in systems:
            if system.layer is not None:
                with seeded(seed, system.stream, "weights"):
                    self.layers[system.stream] = system.layer(
                        self.link(system.link.stream), self.eve(system.link.stream), seed
                    )

    def link(self, name: str) -> LinkNetwork:
        """Return a link by its name."""
        link = self.links[name]
        assert isinstance(link, LinkNetwork)
        return link

    def simulated(self, name: str) -> SimulatedEve | None:
        """Return the simulated Eve of a link by the link's name; None if it has none."""
        return self.eve(name) if name in self.eves else None

    def eve(self, name: str) -> SimulatedEve:
        """Return the simulated Eve of a link by the link's name."""
        eve = self.eves[name]
        assert isinstance(eve, SimulatedEve)
        return eve

    def forget_eves(self) -> None:
        """Leave out the simulated Eves but for those that a layer on the waveform uses."""
        for name in set(self.eves) - self._surrogates:
            del self.eves[name]

    def layer(self, name: str) -> WaveformLayer:
        """Return the layer of a system by the system's name."""
        layer = self.layers[name]
        assert isinstance(layer, WaveformLayer)
        return layer

    def hardenings(self) -> dict[str, str]:
        """Return the stages of adversarial training with their links; none without a method."""
        method = self.recipe.harden.method
        return {} if method == "none" else {f"{name}/{method}": name for name in self.links}

    def stages(self) -> list[str]:
        """Return what has to be trained, in order: links, their hardening, learned layers."""
        learned = [name for name in self.layers if self.layer(name).epochs]
        return [*self.links, *self.hardenings(), *learned]


def check_sizes(link: LinkNetwork, recipe: Recipe, image_shape: ImageShape) -> None:
    """Refuse training settings that do not suit the images or the link."""
    settings, side = recipe.train, min(image_shape[1:])
    if settings.crop >= side:
        raise SemveilError(f"train.crop: {settings.crop} pixels of images of {side}; set fewer")
    size = settings.progressive_size
    if size is None:
        return
    if not link.resizable:
        raise SemveilError(
            f"train.progressive_size: {recipe.scheme} encodes images of one size only; set null"
        )
    if size > side:
        raise SemveilError(f"train.progressive_size: {size} pixels, but images have {side}")


def build_objective(trained: TrainedNetworks, systems: list[SystemPlan], stage: str) -> Objective:
    """Return what trains a stage."""
    if stage in trained.links:
        scheme = trained.planned[stage].scheme
        objective = scheme.objective(trained.link(stage), trained.simulated(stage))
        objective.name = stage
        return objective
    if stage in trained.hardenings():
        name = trained.hardenings()[stage]
        recipe = trained.planned[name].recipe
        return Robust(recipe, trained.link(name), trained.image_shape, trained.classes, stage)
    system = next(system for system in systems if system.stream == stage)
    link = system.link.stream
    objective = system.scheme.layer_objective(
        trained.layer(stage), trained.link(link), trained.eve(link)
    )
    objective.name = stage
    return objective


def _stage(
    fabric: Fabric,
    trained: TrainedNetworks,
    systems: list[SystemPlan],
    stage: str,
    data: TrainingData,
    seed: int,
    folder: Path,
    progress: Progress | None,
) -> list[dict[str, float]]:
    """Train one stage inside a launched process; the checkpoint in the folder is its result."""
    recipe = trained.recipe
    images, labels, private = data
    base = folder / BASE
    if stage in trained.links and base.exists():
        _adopt(trained, stage, base)
        return []
    learned, hardens = stage in trained.layers, stage in trained.hardenings()
    if learned:
        trained.requires_grad_(False)
        trained.layers[stage].requires_grad_(True)
        trained.to(fabric.device)
    # The generators that a link is trained against get their first weights here.
    with seeded(seed, stage, "weights"):
        objective = build_objective(trained, systems, stage)
    schedule = link_schedule(recipe, seed)
    if learned:
        schedule = replace(plain(schedule), epochs=trained.layer(stage).epochs)
    elif hardens:
        schedule = replace(plain(schedule), epochs=recipe.harden.epochs, lr=recipe.harden.lr)
    else:
        trained.link(stage).prepare(images)
    history = fit(objective, images, labels, schedule, fabric, folder, progress, private)
    if not learned:
        trained.link(trained.hardenings().get(stage, stage)).calibrate(images.to(fabric.device))
    return history


def link_schedule(recipe: Recipe, seed: int) -> Schedule:
    """Return how a link is trained."""
    settings = recipe.train
    changes = Augmentation(
        settings.crop, settings.flip, settings.progressive_size, settings.progressive_share
    )
    return Schedule(
        settings.epochs,
        settings.batch,
        settings.lr,
        settings.max_grad_norm,
        seed,
        identity(recipe, seed),
        settings.muon_lr if settings.optimiser == "muon" else None,
        settings.schedule,
        changes if settings.crop or settings.flip or settings.progressive_size else None,
        settings.weight_average,
    )


def plain(schedule: Schedule) -> Schedule:
    """Return the schedule of what follows a link's training: Adam, on images as they are."""
    return replace(schedule, muon_lr=None, falls="cosine", augmentation=None, average=0.0)


def _adopt(trained: TrainedNetworks, name: str, path: Path) -> None:
    """Take a link and its simulated Eve from another run's weights."""
    tensors, _ = load_tensors(path)
    modules: dict[str, nn.Module] = {"links": trained.link(name)}
    if name in trained.eves:
        modules["eves"] = trained.eve(name)
    for kind, module in modules.items():
        prefix = f"{kind}.{name}."
        chosen = {
            key.removeprefix(prefix): tensor
            for key, tensor in tensors.items()
            if key.startswith(prefix)
        }
        load_weights(module, chosen, path)


def _stages(
    fabric: Fabric,
    trained: TrainedNetworks,
    systems: list[SystemPlan],
    data: TrainingData,
    seed: int,
    folder: Path,
    progress: Progress | None,
) -> History:
    return {
        stage: _stage(fabric, trained, systems, stage, data, seed, folder, progress)
        for stage in trained.stages()
    }


def die_with_parent() -> None:
    """End this process at once when the process that started it has ended, however it did."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _in_process(
    fabric: Fabric,
    complaints: multiprocessing.SimpleQueue[str],
    threads: int,
    schemes: Sequence[str | dict[str, Any]],
    recipe: Recipe,
    classes: int,
    private_classes: int | None,
    data: TrainingData,
    seed: int,
    folder: Path,
) -> None:
    die_with_parent()
    # Schemes hold functions, which do not travel between processes: each builds its own.
    torch.set_num_threads(threads)
    systems = plan([from_plain(asked) for asked in schemes], recipe)
    channels, height, width = data[0].shape[1:]
    shape = channels, height, width
    trained = TrainedNetworks(systems, recipe, shape, classes, seed, private_classes)
    try:
        _stages(fabric, trained, systems, data, seed, folder, None)
    except SemveilError as error:
        complaints.put(str(error))
        raise
    # A process that leaves while another still talks to it brings gloo's threads down with it:
    # all leave together, and without the interpreter's destructors, which race with them.
    dist.barrier()
    dist.destroy_process_group()
    atexit.register(os._exit, 0)


def _launch(fabric: Fabric, *work: object) -> None:
    """Run :func:`_in_process` in all of Fabric's processes; none of them outlives this call."""
    # Fabric's own annotation forgets that launch hands further arguments on.
    launch: Callable[..., object] = fabric.launch
    others = set(multiprocessing.active_children())
    complaints: multiprocessing.SimpleQueue[str] = multiprocessing.get_context(
        "spawn"
    ).SimpleQueue()
    try:
        launch(_in_process, complaints, *work)
    except ProcessRaisedException:
        if complaints.empty():
            raise
        raise SemveilError(complaints.get()) from None
    finally:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
            process.join()


def train(
    schemes: Sequence[Asked],
    recipe: Recipe,
    splits: ImageSplits,
    seed: int,
    folder: Path,
    hardware: Hardware,
    progress: Progress | None,
) -> tuple[TrainedNetworks, History]:
    """Train everything, each stage from its checkpoint in the folder if there is one."""
    mine, classes, private = splits.system, splits.n_classes, splits.n_private_classes
    data = (
        torch.from_numpy(mine.x),
        torch.from_numpy(mine.y),
        None if mine.private is None else torch.from_numpy(mine.private),
    )
    systems = plan(schemes, recipe)
    trained = TrainedNetworks(systems, recipe, splits.image_shape, classes, seed, private)
    if hardware.devices > 1:
        threads = max(1, (os.cpu_count() or 1) // hardware.devices)
        # Fabric hands plain values on, and refuses frozen dataclasses.
        asked = [to_plain(each) for each in schemes]
        work = (threads, asked, recipe, classes, private, data, seed, folder)
        with temporary_folder() as scratch:
            meeting = scratch / "meeting"
            _launch(hardware.fabric(recipe.train.precision, meeting), *work)
    # After several processes this finds finished checkpoints and only loads them.
    alone = Hardware(hardware.device).fabric(recipe.train.precision)
    return trained, _stages(alone, trained, systems, data, seed, folder, progress)


def identity(recipe: Recipe, seed: int) -> str:
    """Return what tells the weights of one training from those of another.

    The settings of audits and attacks do not count: they change nothing of the training, and those
    of hardening do only where there is one. Nor do settings that are left as they are by default,
    so that new ones tell nothing apart.
    """
    hardened = recipe.harden.method != "none"
    settings = changes(recipe, {"audit", "attack"} | (set() if hardened else {"harden"}))
    if hardened:
        # The attacks that it is trained against have sections of their own.
        settings["against"] = [changes(recipe.attack.mallory)] + [
            changes(recipe.of(attack.Config), {"epochs", "lr"})
            | ({"revision": attack.revision} if attack.revision else {})
            for attack in TRAININGS.get(recipe.harden.method).generators
        ]
    plain = json.dumps([settings, seed], sort_keys=True)
    return hashlib.sha256(plain.encode()).hexdigest()


def save(trained: TrainedNetworks, path: Path, recipe: Recipe, seed: int) -> None:
    """Write all networks of a run into one file, replaced atomically."""
    facts = {"recipe": recipe.model_dump(), "seed": seed, "identity": identity(recipe, seed)}
    save_tensors(path, dict(trained.state_dict()), facts)


def load(trained: TrainedNetworks, path: Path, recipe: Recipe, seed: int) -> None:
    """Fill the networks of a run from :func:`save`'s file."""
    tensors, facts = load_tensors(path)
    load_weights(trained, tensors, path)
    # Compared as this version reads it: another's hash may have been of fewer settings.
    stated = check_facts(facts, WeightFacts, path)
    if identity(check(stated.recipe), stated.seed) != identity(recipe, seed):
        raise SemveilError(f"checkpoint {path} is of another training: its recipe or seed differs")
