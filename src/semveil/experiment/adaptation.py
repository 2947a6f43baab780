"""Adaptation of trained links to other tasks, images and channels, measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from semveil.channel import channel_of
from semveil.data.splits import Images, ImageSplits
from semveil.device import channels_last
from semveil.experiment.training import Hardware, train
from semveil.link import LinkNetwork
from semveil.metrics.intervals import wilson
from semveil.recipe import Recipe
from semveil.records import Estimate, Params, Record, SystemName
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES
from semveil.training.loop import Progress
from semveil.training.shift import SHIFTS, Shift, World, halves
from semveil.training.transfer import (
    PARTS,
    Learning,
    checkpoints,
    hits,
    inherit,
    learn,
    part_of,
    waveforms,
)

ANEW = ("scratch", "retrained")
"""Both start from fresh weights; the second lets its rate fall, as the first training did."""
ARMS = (*PARTS, *ANEW)
# A test is repeated at every stop of every arm, and costs more than the steps between them.
TESTED = 1250


@dataclass(frozen=True)
class Adaptation:
    """Everything that is measured from one seed."""

    study: str
    scheme: str
    recipe: Recipe
    splits: ImageSplits
    seed: int
    hardware: Hardware
    folder: Path
    progress: Progress | None = None

    def records(self) -> Iterator[Record]:
        """Train every link to be adapted, then adapt it in every way and from scratch."""
        before, after = halves(self.splits)
        links: dict[World, LinkNetwork] = {}
        for world in dict.fromkeys(shift.before for shift in SHIFTS.values()):
            seen = world.splits(before)
            links[world] = self._trained(world, seen)
            sent = self._sent(links[world], seen.test)
            scored = self._score(links[world], sent, world, seen.test)
            yield self._record(world, {}, "accuracy", scored)
        for at, (name, shift) in enumerate(SHIFTS.items()):
            seen = shift.after.splits(after)
            yield self._chance(shift.after, name, seen)
            for number, arm in enumerate(ARMS):
                yield from self._adapted(name, shift, arm, links[shift.before], seen)
                if self.progress:
                    done = at * len(ARMS) + number + 1
                    self.progress("adapt", done, len(SHIFTS) * len(ARMS))

    def _trained(self, world: World, splits: ImageSplits) -> LinkNetwork:
        folder = self.folder / world.target(self.splits.name)
        folder.mkdir(parents=True, exist_ok=True)
        alone = Hardware(self.hardware.device)
        recipe = world.recipe(self.recipe)
        trained, _ = train([self.scheme], recipe, splits, self.seed, folder, alone, self.progress)
        return trained.link(self.scheme)

    def _adapted(
        self, name: str, shift: Shift, arm: str, source: LinkNetwork, splits: ImageSplits
    ) -> Iterator[Record]:
        world, settings = shift.after, self.recipe.train
        with seeded(self.seed, name, "weights"):
            scheme = SCHEMES.get(self.scheme)(world.recipe(self.recipe))
            link = scheme.build(splits.image_shape, splits.n_classes)
        channels_last(link.to(self.hardware.device))
        if arm not in ANEW:
            inherit(link, source, new_answers=shift.new_answers)
        part = part_of(link, "all" if arm in ANEW else arm, new_answers=shift.new_answers)
        params = {"shift": name, "part": arm}
        weights = sum(parameter.numel() for parameter in part.parameters())
        yield self._record(world, params, "trained_parameters", _exactly(weights))
        # All arms share images and draws, so that they differ in nothing else.
        learning = Learning(
            settings.batch,
            settings.lr,
            settings.max_grad_norm,
            world.snr_db,
            self.seed,
            name,
            falls=arm == "retrained",
        )
        stops = checkpoints(len(splits.system) // settings.batch * settings.epochs)
        # While a rate falls, what is between the ends is nothing to stop at.
        stops = stops[-1:] if learning.falls else stops
        sent = None
        for step, flops in learn(link, part, *self._tensors(splits.system), learning, stops):
            if sent is None or arm not in ("head", "bob"):
                sent = self._sent(link, splits.test)
            stop = {**params, "steps": step}
            scored = self._score(link, sent, world, splits.test)
            yield self._record(world, stop, "accuracy", scored)
            yield self._record(world, stop, "training_flops", _exactly(flops))

    def _sent(self, link: LinkNetwork, test: Images) -> Tensor:
        return waveforms(link, self._tensors(_tested(test))[0])

    def _score(self, link: LinkNetwork, sent: Tensor, world: World, test: Images) -> Estimate:
        _, labels = self._tensors(_tested(test))
        source = generator(self.seed, "bob", device=self.hardware.device)
        return wilson(hits(link, sent, labels, world.snr_db, source), len(labels))

    def _tensors(self, images: Images) -> tuple[Tensor, Tensor]:
        device = self.hardware.device
        return torch.from_numpy(images.x).to(device), torch.from_numpy(images.y).to(device)

    def _chance(self, world: World, name: str, splits: ImageSplits) -> Record:
        majority = int(np.bincount(splits.system.y).argmax())
        answers = _tested(splits.test).y
        guessed = wilson(int((answers == majority).sum()), len(answers))
        return self._record(world, {"shift": name}, "chance", guessed)

    def _record(self, world: World, params: Params, metric: str, found: Estimate) -> Record:
        dim = self.recipe.link.latent_dim
        rated = metric == "accuracy"
        return Record.of(
            SystemName(self.scheme, params=params),
            found,
            study=self.study,
            dataset=self.splits.name,
            channel=channel_of(world.recipe(self.recipe).bob).name,
            train_snr_db=world.snr_db,
            test_snr_db=world.snr_db if rated else None,
            latent_dim=dim,
            bandwidth_ratio=dim / 2 / int(np.prod(self.splits.image_shape)),
            role="bob" if rated else "system",
            target=world.target(self.splits.name),
            metric=metric,
            seed=self.seed,
        )


def _tested(test: Images) -> Images:
    """Evenly chosen test images, :data:`TESTED` at most."""
    return test.take(np.arange(len(test))[:: -(-len(test) // TESTED)])


def _exactly(number: int) -> Estimate:
    """A number that was counted, not estimated from test images."""
    return Estimate(number, number, number, 0)
