"""The data sets by name: what there is, where it lies, and loading it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semveil.data import cifar10, digits, folder, mnist
from semveil.data.splits import ImageSplits, Source, hold_out, split
from semveil.errors import SemveilError, unknown


@dataclass(frozen=True)
class Reader:
    """A data set that can be asked for by name.

    Attributes:
        about: One line about it.
        locate: Data folder → where the set lies, None if it is embedded.
        read: Data folder → the set.
    """

    about: str
    locate: Callable[[Path | None], Path | None]
    read: Callable[[Path | None], Source]


FOLDER_PREFIX = "folder:"

# A new set is a module with these three names and a line here.
READERS = {
    "digits": Reader(digits.ABOUT, digits.locate, digits.read),
    "mnist": Reader(mnist.ABOUT, mnist.locate, mnist.read),
    "cifar10": Reader(cifar10.ABOUT, cifar10.locate, cifar10.read),
}


@dataclass(frozen=True)
class Status:
    """Whether a data set can be loaded.

    Attributes:
        name: Name of the set.
        about: One line about it.
        where: Its folder; None if it is embedded or not there.
        problem: Why it cannot be loaded, one line; None if it can.
    """

    name: str
    about: str
    where: Path | None
    problem: str | None


def names() -> dict[str, str]:
    """Return what :func:`load` can be asked for, each with one line about it.

    Example:
        >>> sorted(names())
        ['cifar10', 'digits', 'folder:PATH', 'mnist']
    """
    return {name: r.about for name, r in READERS.items()} | {f"{FOLDER_PREFIX}PATH": folder.ABOUT}


def status(root: Path | None = None) -> list[Status]:
    """Say which data sets are there; looks for the files, does not read them.

    Args:
        root: Data folder; ``SEMVEIL_DATA`` if omitted.

    Returns:
        One entry per set.

    Example:
        >>> [entry.name for entry in status(Path("nowhere")) if entry.problem is None]
        ['digits']
    """
    entries = []
    for name, reader in READERS.items():
        try:
            entries.append(Status(name, reader.about, reader.locate(root), None))
        except SemveilError as error:
            entries.append(Status(name, reader.about, None, str(error)))
    return entries


def load(
    name: str,
    *,
    root: Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    image_size: int | None = None,
) -> ImageSplits:
    """Load a data set, dealt out to system, adversary, validation and test.

    A set without an official test set has a fifth of its images, seeded and stratified, held
    out as one.

    Args:
        name: One of :func:`names`, ``"folder:PATH"``, or the path of an image folder (see
            :func:`semveil.data.folder.read`).
        root: Data folder; ``SEMVEIL_DATA`` if omitted. Embedded sets need none, and the path
            of an image folder does not depend on it.
        seed: Decides who gets which image; the same seed gives the same parts.
        limit: Use at most this many training images in all (see
            :func:`semveil.data.splits.split`); the test set is never limited.
        image_size: Height and width that the images of a folder are resized to, required for
            it; the named sets have their own.

    Returns:
        The four parts.

    Raises:
        SemveilError: If there is no such set, its files are missing, damaged or altered, or
            ``limit`` leaves too few images.

    Example:
        >>> parts = load("digits")
        >>> parts.image_shape, parts.n_classes
        ((1, 8, 8), 10)
    """
    source = _read(name, root, image_size)
    if source.test is None:
        train, test = hold_out(source.train, seed)
    else:
        train, test = source.train, source.test
    return split(source.name, train, test, source.classes, seed, limit=limit)


def _read(name: str, root: Path | None, image_size: int | None) -> Source:
    if name in READERS:
        if image_size is not None:
            raise SemveilError(f"{name} has its own image size; only image folders are resized")
        return READERS[name].read(root)
    path = os.path.expanduser(name.removeprefix(FOLDER_PREFIX))
    if not (name.startswith(FOLDER_PREFIX) or os.sep in name or os.path.isdir(path)):
        raise unknown("data set", name, [*READERS, f"{FOLDER_PREFIX}PATH"])
    if image_size is None:
        raise SemveilError(f"image folder {path}: say which image size to resize to")
    return folder.read(Path(path), image_size)
