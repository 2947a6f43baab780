"""Changes after a link was trained: of its task, its images, its channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from semveil import recipe as recipes
from semveil.data.splits import Images, ImageSplits
from semveil.recipe import Recipe


@dataclass(frozen=True)
class Grouping:
    """A coarser task: coarse classes, and the one of each class of the data set."""

    name: str
    groups: tuple[str, ...]
    group: tuple[int, ...]


_PARITY = Grouping("parity", ("even", "odd"), (0, 1) * 5)
# Aeroplane, automobile, ship and truck are the classes 0, 1, 8 and 9 of CIFAR-10.
_KIND = Grouping("kind", ("animal", "vehicle"), (1, 1, 0, 0, 0, 0, 0, 0, 1, 1))
GROUPINGS = {"digits": _PARITY, "mnist": _PARITY, "cifar10": _KIND}


@dataclass(frozen=True)
class World:
    """Task, images and channel of a link; ``turned`` rotates images by 90° anticlockwise."""

    coarse: bool = False
    turned: bool = False
    fading: Literal["awgn", "rayleigh"] = "awgn"
    snr_db: float = 12.0

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe with this channel for Bob and for the simulated Eve."""
        channel = {"fading": self.fading, "snr_db": self.snr_db}
        return recipes.update(recipe, {"bob": channel, "eve": channel})

    def splits(self, splits: ImageSplits) -> ImageSplits:
        """Return a data set with this task and these images."""
        grouping = GROUPINGS[splits.name]
        names = grouping.groups if self.coarse else splits.classes
        system, adversary, validation, test = (
            self._images(part, grouping)
            for part in (splits.system, splits.adversary, splits.validation, splits.test)
        )
        return replace(
            splits,
            classes=names,
            system=system,
            adversary=adversary,
            validation=validation,
            test=test,
        )

    def target(self, dataset: str) -> str:
        """Return the target in records: ``label``, or the name of the data set's grouping."""
        return GROUPINGS[dataset].name if self.coarse else "label"

    def _images(self, images: Images, grouping: Grouping) -> Images:
        x, y = images.x, images.y
        if self.turned:
            x = np.ascontiguousarray(np.rot90(x, axes=(2, 3)))
        if self.coarse:
            y = np.array(grouping.group, dtype=np.int64)[y]
        return replace(images, x=x, y=y)


@dataclass(frozen=True)
class Shift:
    """A change from one world to another."""

    before: World
    after: World

    @property
    def new_answers(self) -> bool:
        """Whether Bob's task changes."""
        return self.before.coarse != self.after.coarse


SHIFTS = {
    "coarser": Shift(World(), World(coarse=True)),
    "finer": Shift(World(coarse=True), World()),
    "turned": Shift(World(), World(turned=True)),
    "fading": Shift(World(), World(fading="rayleigh")),
    "noise": Shift(World(), World(snr_db=2.0)),
}
"""The studied changes: two of the task, one of the images, two of the channel."""


def halves(splits: ImageSplits) -> tuple[ImageSplits, ImageSplits]:
    """Split the system's images into those before a change and those after it.

    Every second image each; the images of adversary, validation and test stay the same.
    """
    everything = np.arange(len(splits.system))
    before, after = (splits.system.take(everything[first::2]) for first in (0, 1))
    return replace(splits, system=before), replace(splits, system=after)
