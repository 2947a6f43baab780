"""Disjoint, seeded, class-stratified parts of a set of labelled images.

A reader returns a :class:`Source`; :func:`split` divides its training images among the system, the
adversary (who must learn from images that the defence was not trained on) and validation. All
copies of an image are in one part, and so are all images of a person where persons are known, so
that no part can recall what another was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semveil.data.stratified_split import (
    Indices,
    copies,
    joined,
    random_of,
    split_people,
    stratified_split,
)
from semveil.errors import SemveilError


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images in memory.

    Attributes:
        x: Pixels, uint8 ``[N, C, H, W]``.
        y: Class of each image, int64 ``[N]``.
        private: Its private class, which Eve infers, int64 ``[N]``; None if she infers ``y``.
        person: The person shown, int64 ``[N]``; None if unknown.

    Raises:
        ValueError: If shapes or dtypes differ from these.

    Example:
        >>> images = Images(np.zeros((5, 1, 8, 8), np.uint8), np.arange(5))
        >>> len(images), images.take([3, 1]).y.tolist()
        (5, [3, 1])
    """

    x: NDArray[np.uint8]
    y: NDArray[np.int64]
    private: NDArray[np.int64] | None = None
    person: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.x.dtype != np.uint8 or self.x.ndim != 4:
            raise ValueError(f"x must be uint8 [N, C, H, W], not {self.x.dtype} {self.x.shape}")
        for name in ("y", "private", "person"):
            each = getattr(self, name)
            if each is not None and (each.dtype != np.int64 or each.shape != self.x.shape[:1]):
                raise ValueError(
                    f"{name} must be int64 [{len(self.x)}], one per image, "
                    f"not {each.dtype} {each.shape}"
                )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: Indices | Sequence[int]) -> Images:
        """Return a copy of the images at ``indices``, integers ``[M]``, in this order."""
        chosen = np.asarray(indices, dtype=np.int64)
        private, person = (
            None if each is None else each[chosen] for each in (self.private, self.person)
        )
        return Images(self.x[chosen], self.y[chosen], private, person)


@dataclass(frozen=True)
class Source:
    """A data set as published.

    Attributes:
        name: Name of the set in records.
        classes: Class names; class ``i`` is ``classes[i]``.
        train: Official training set, or all images.
        test: Official test set; None if the set has none.
        private_classes: Class names of ``private``; None if the images have none.
        private_name: Name of the private attribute in records; its last class if None, such as
            ``Male`` of ``not Male`` and ``Male``.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    test: Images | None
    private_classes: tuple[str, ...] | None = None
    private_name: str | None = None


@dataclass(frozen=True)
class ImageSplits:
    """A data set divided among the parties; no image is in two of the four parts.

    Attributes:
        name: Name of the set.
        classes: Class names; class ``i`` is ``classes[i]``.
        system: Images that Alice and Bob train on.
        adversary: Images that Eve and Mallory train on.
        validation: Images for early stopping and the choice of settings.
        test: Images for every reported number.
        private_classes: Class names of ``private``, which all four parts then have; None if Eve
            infers the label of Bob's task.
        private_name: Name of the private attribute in records; its last class if None.
    """

    name: str
    classes: tuple[str, ...]
    system: Images
    adversary: Images
    validation: Images
    test: Images
    private_classes: tuple[str, ...] | None = None
    private_name: str | None = None

    def __repr__(self) -> str:
        parts = ("system", "adversary", "validation", "test")
        sizes = ", ".join(f"{name} {len(getattr(self, name))}" for name in parts)
        shape = "×".join(map(str, self.image_shape))
        return f"<ImageSplits: {self.name}, {shape}, {self.n_classes} classes; {sizes}>"

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape ``(C, H, W)`` of one image."""
        channels, height, width = self.test.x.shape[1:]
        return channels, height, width

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def n_private_classes(self) -> int | None:
        """Number of private classes; None if Eve infers the label of Bob's task."""
        return None if self.private_classes is None else len(self.private_classes)


def split(
    name: str,
    train: Images,
    test: Images,
    classes: tuple[str, ...],
    seed: int,
    *,
    adversary_share: float = 0.25,
    validation_share: float = 0.1,
    limit: int | None = None,
) -> ImageSplits:
    """Divide the training images among system, adversary and validation.

    The test set keeps its images and their order. A training image that also occurs in the test
    set is left out; copies of one training image stay together. Every part has the class
    frequencies of the training set (to within one image, or one group of copies, per class).

    Where persons are known, no person is in two of the four parts: the people are split in these
    shares, and class frequencies agree as well as that allows.

    Args:
        name: Name of the set.
        train: Official training set.
        test: Official test set.
        classes: Class names.
        seed: The same seed gives the same parts.
        adversary_share: Share of the training images for the adversary.
        validation_share: Share for validation; the system gets the rest.
        limit: Use at most this many training images over all three parts; all if omitted.

    Raises:
        SemveilError: If there are too few images for every part to get one.
        ValueError: If the shares are not positive or leave nothing for the system.

    Example:
        >>> x = np.random.default_rng(0).integers(0, 256, (120, 1, 8, 8), dtype=np.uint8)
        >>> images = Images(x, np.arange(120) % 2)
        >>> parts = split("noise", images.take(range(100)), images.take(range(100, 120)),
        ...               ("even", "odd"), seed=0)
        >>> len(parts.system), len(parts.adversary), len(parts.validation), len(parts.test)
        (65, 25, 10, 20)
    """
    if min(adversary_share, validation_share) <= 0 or adversary_share + validation_share >= 1:
        raise ValueError("the shares must be positive and leave something to the system")
    groups = _groups(test, train)
    tested, trained = groups[: len(test)], groups[len(test) :]
    usable = np.flatnonzero(~np.isin(trained, tested))
    if not len(usable) and len(train):
        raise SemveilError(f"{name}: every training image is in the test set, too")
    total = len(usable) if limit is None else min(limit, len(usable))
    adversary, validation = round(adversary_share * total), round(validation_share * total)
    sizes = (adversary, validation, total - adversary - validation)
    by = stratified_split if train.person is None else split_people
    parts = by(train.y[usable], trained[usable], sizes, random_of(seed, "split"))
    if min(len(test), *(len(part) for part in parts)) == 0:
        raise SemveilError(
            f"{name}: {total} training and {len(test)} test images are too few for four parts"
        )
    to_adversary, to_validation, to_system = (train.take(usable[part]) for part in parts)
    return ImageSplits(name, classes, to_system, to_adversary, to_validation, test)


def hold_out(images: Images, seed: int, share: float = 0.2) -> tuple[Images, Images]:
    """Split off a share of every class as test set, for sets published without one.

    Copies of one image, and images of one person, are all in the training or all in the test set.
    """
    aside = round(share * len(images))
    sizes = (aside, len(images) - aside)
    by = stratified_split if images.person is None else split_people
    test, train = by(images.y, _groups(images), sizes, random_of(seed, "hold out"))
    return images.take(train), images.take(test)


def _groups(*parts: Images) -> Indices:
    """Number the groups that stay together: copies of an image, images of a person."""
    same = copies(np.concatenate([part.x for part in parts]))
    people = [part.person for part in parts if part.person is not None]
    return joined(same, np.concatenate(people)) if len(people) == len(parts) else same
