"""What may change after a link was trained: its task, its images, its channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from semveil import recipe as recipes
from semveil.data.splits import Images, ImageSplits
from semveil.recipe import Recipe


@dataclass(frozen=True)
class Grouping:
    """A coarser task on the classes of a data set.

    Attributes:
        name: What is asked, as records carry it.
        groups: Names of its answers.
        group: Answer of each class of the data set.
    """

    name: str
    groups: tuple[str, ...]
    group: tuple[int, ...]


_PARITY = Grouping("parity", ("even", "odd"), (0, 1) * 5)
# Aeroplane, automobile, ship and truck are the classes 0, 1, 8 and 9 of CIFAR-10.
_KIND = Grouping("kind", ("animal", "vehicle"), (1, 1, 0, 0, 0, 0, 0, 0, 1, 1))
GROUPINGS = {"digits": _PARITY, "mnist": _PARITY, "cifar10": _KIND}


@dataclass(frozen=True)
class World:
    """Task, images and channel that a link works with.

    Attributes:
        coarse: Whether the task is the set's grouping rather than its classes.
        turned: Whether the images are turned by 90° anticlockwise.
        fading: Law of Bob's channel.
        snr_db: Bob's mean E_s/N_0, dB, in training and in the test.
    """

    coarse: bool = False
    turned: bool = False
    fading: Literal["awgn", "rayleigh"] = "awgn"
    snr_db: float = 12.0

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return a recipe with this channel for Bob and, as she learns alongside, for Eve."""
        antenna = {"fading": self.fading, "snr_db": self.snr_db}
        return recipes.update(recipe, {"bob": antenna, "eve": antenna})

    def splits(self, splits: ImageSplits) -> ImageSplits:
        """Return a data set as this world shows it, part by part.

        Example:
            >>> from semveil.data import load
            >>> World(coarse=True).splits(load("digits")).classes
            ('even', 'odd')
        """
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
        """Return what is asked of a data set: ``label``, or its grouping's name.

        Example:
            >>> World(coarse=True).target("mnist")
            'parity'
        """
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
    """A link trained in one world has to work in another.

    Attributes:
        before: Where it was trained.
        after: Where it has to work.
    """

    before: World
    after: World

    @property
    def new_answers(self) -> bool:
        """Whether Bob's answers mean something else afterwards."""
        return self.before.coarse != self.after.coarse


SHIFTS = {
    "coarser": Shift(World(), World(coarse=True)),
    "finer": Shift(World(coarse=True), World()),
    "turned": Shift(World(), World(turned=True)),
    "fading": Shift(World(), World(fading="rayleigh")),
    "noise": Shift(World(), World(snr_db=2.0)),
}
"""The changes that are studied: two of the task, one of the images, two of the channel."""


def halves(splits: ImageSplits) -> tuple[ImageSplits, ImageSplits]:
    """Share the system's images out to the time before a change and the time after it.

    Every second image, so that the adversary's, validation's and test images stay what they are
    and what is adapted to was not seen before.

    Example:
        >>> from semveil.data import load
        >>> [len(half.system) for half in halves(load("digits", limit=600))]
        [195, 195]
    """
    everything = np.arange(len(splits.system))
    before, after = (splits.system.take(everything[first::2]) for first in (0, 1))
    return replace(splits, system=before), replace(splits, system=after)
