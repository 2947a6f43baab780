"""Disjoint, seeded, class-stratified parts of a set of labelled images.

A reader delivers a :class:`Source`; :func:`split` deals its training images out to the system,
to the adversary (who must learn from images that the defence never saw) and to validation. An
image that occurs several times goes to one part with all its copies, so that no part can answer
from memory what another was trained on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semveil.errors import SemveilError

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Images:
    """Labelled images in memory.

    Attributes:
        x: Pixels, uint8 ``[N, C, H, W]``.
        y: Class of each image, int64 ``[N]``.

    Raises:
        ValueError: If shapes or dtypes differ from these.

    Example:
        >>> images = Images(np.zeros((5, 1, 8, 8), np.uint8), np.arange(5))
        >>> len(images), images.take([3, 1]).y.tolist()
        (5, [3, 1])
    """

    x: NDArray[np.uint8]
    y: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.x.dtype != np.uint8 or self.x.ndim != 4:
            raise ValueError(f"x must be uint8 [N, C, H, W], not {self.x.dtype} {self.x.shape}")
        if self.y.dtype != np.int64 or self.y.shape != self.x.shape[:1]:
            raise ValueError(
                f"y must be int64 [{len(self.x)}], one class per image, "
                f"not {self.y.dtype} {self.y.shape}"
            )

    def __len__(self) -> int:
        return len(self.x)

    def take(self, indices: Indices | list[int]) -> Images:
        """Return a copy of some of the images, in the order asked for.

        Args:
            indices: Which ones, integers ``[M]``.

        Returns:
            ``M`` images.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        return Images(self.x[chosen], self.y[chosen])


@dataclass(frozen=True)
class Source:
    """What a reader found: a data set as it is published.

    Attributes:
        name: Name of the set, as it appears in records.
        classes: Class names; class ``i`` is ``classes[i]``.
        train: Official training set, or all there is.
        test: Official test set, or None where the set has none.
    """

    name: str
    classes: tuple[str, ...]
    train: Images
    test: Images | None


@dataclass(frozen=True)
class ImageSplits:
    """A data set dealt out to the parties; no image is in two of the four parts.

    Attributes:
        name: Name of the set.
        classes: Class names; class ``i`` is ``classes[i]``.
        system: Images that Alice and Bob train on.
        adversary: Images that Eve and Mallory train on.
        validation: Images for early stopping and the choice of settings.
        test: Images that every reported number is measured on.
    """

    name: str
    classes: tuple[str, ...]
    system: Images
    adversary: Images
    validation: Images
    test: Images

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape ``(C, H, W)`` of one image."""
        channels, height, width = self.test.x.shape[1:]
        return channels, height, width

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)


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
    """Deal the training images out to system, adversary and validation.

    The test set stays as it is and in its order. A training image that also occurs in the test
    set is left out; copies of one training image stay together. Every part keeps the class
    frequencies of the training set (to within one image, or one group of copies, per class).

    Args:
        name: Name of the set.
        train: Official training set.
        test: Official test set.
        classes: Class names.
        seed: The same seed gives the same parts; nothing else has an influence.
        adversary_share: Share of the training images that go to the adversary.
        validation_share: Share that goes to validation; the system gets what is left.
        limit: Use at most this many training images over all three parts; all if omitted. The
            test set is not limited.

    Returns:
        The four parts.

    Raises:
        SemveilError: If there are too few images to give every part one.
        ValueError: If the shares are not positive or leave nothing to the system.

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
    groups = _groups(np.concatenate([test.x, train.x]))
    tested, trained = groups[: len(test)], groups[len(test) :]
    usable = np.flatnonzero(~np.isin(trained, tested))
    total = len(usable) if limit is None else min(limit, len(usable))
    adversary, validation = round(adversary_share * total), round(validation_share * total)
    sizes = (adversary, validation, total - adversary - validation)
    dealt = _deal(train.y[usable], trained[usable], sizes, _random(seed, "split"))
    if min(len(test), *(len(part) for part in dealt)) == 0:
        raise SemveilError(
            f"{name}: {total} training and {len(test)} test images are too few to share out"
        )
    to_adversary, to_validation, to_system = (train.take(usable[part]) for part in dealt)
    return ImageSplits(name, classes, to_system, to_adversary, to_validation, test)


def hold_out(images: Images, seed: int, share: float = 0.2) -> tuple[Images, Images]:
    """Set aside a test set, for sets that are published without one.

    Args:
        images: All images.
        seed: The same seed gives the same test set.
        share: Share of the images, of every class, that are set aside.

    Returns:
        Training and test images; copies of one image are all on one side.

    Example:
        >>> x = np.random.default_rng(0).integers(0, 256, (50, 1, 8, 8), dtype=np.uint8)
        >>> train, test = hold_out(Images(x, np.arange(50) % 5), seed=0)
        >>> len(train), np.bincount(test.y).tolist()
        (40, [2, 2, 2, 2, 2])
    """
    aside = round(share * len(images))
    sizes = (aside, len(images) - aside)
    test, train = _deal(images.y, _groups(images.x), sizes, _random(seed, "hold out"))
    return images.take(train), images.take(test)


def _random(seed: int, purpose: str) -> np.random.Generator:
    digest = hashlib.sha256(repr((seed, "data", purpose)).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))


def _groups(x: NDArray[np.uint8]) -> Indices:
    """Number the distinct images: identical images get the same number, ``[N]``."""
    numbers: dict[bytes, int] = {}
    # A digest rather than the image itself as the key: a second copy of the set need not fit.
    digests = (hashlib.sha256(image.tobytes()).digest() for image in x)
    return np.array([numbers.setdefault(d, len(numbers)) for d in digests], dtype=np.int64)


def _apportion(counts: Indices, total: int) -> Indices:
    """Divide ``total`` in proportion to ``counts``, by largest remainders, never above them."""
    exact = counts * (total / max(counts.sum(), 1))
    shares = np.minimum(np.floor(exact).astype(np.int64), counts)
    order = np.argsort(shares - exact, kind="stable")
    order = order[shares[order] < counts[order]]
    shares[order[: total - shares.sum()]] += 1
    return shares


def _deal(
    y: Indices, groups: Indices, sizes: tuple[int, ...], random: np.random.Generator
) -> list[Indices]:
    """Deal images out to parts of the given sizes, class by class, whole groups only.

    A part that would end within a group of copies ends before it; what is beyond the sum of
    the sizes is dealt to nobody.
    """
    # Copies may be labelled differently: a group is dealt with the class of its first image.
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    stratum = y[first][group]
    known, counts = np.unique(stratum, return_counts=True)
    left = _apportion(counts, sum(sizes))
    # The last part takes what the others leave, so that the sizes add up in every class.
    shares = []
    for size in sizes[:-1]:
        shares.append(_apportion(left, size))
        left = left - shares[-1]
    ends = np.cumsum([*shares, left], axis=0)

    dealt = [[np.empty(0, dtype=np.int64)] for _ in sizes]
    rank = random.permutation(len(first))[group]
    for number, label in enumerate(known):
        members = np.flatnonzero(stratum == label)
        members = members[np.argsort(rank[members], kind="stable")]
        whole = np.flatnonzero(np.diff(rank[members], prepend=-1, append=-1))
        start = 0
        for part, end in enumerate(ends[:, number]):
            stop = int(whole[np.searchsorted(whole, end, side="right") - 1])
            dealt[part].append(members[start:stop])
            start = stop
    return [random.permutation(np.concatenate(part)) for part in dealt]
