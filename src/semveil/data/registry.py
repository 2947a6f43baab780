"""The data sets by name: what there is, where it lies, and loading it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semveil.data import celeba, cifar10, digits, folder, imagenette, mnist
from semveil.data.splits import ImageSplits, Source, hold_out, split
from semveil.errors import SemveilError, unknown


@dataclass(frozen=True)
class Reader:
    """A data set that can be asked for by name.

    Attributes:
        about: One line about it.
        locate: Data folder → where the set lies, None if it is embedded.
        read: Data folder → the set. Takes the settings named in ``takes`` as keywords.
        takes: Settings that make sense for it, of those in ``REFUSALS``.
        origin: Where its publisher hands it out to those who agree to its terms; None if it can
            be fetched or is embedded.
    """

    about: str
    locate: Callable[[Path | None], Path | None]
    read: Callable[..., Source]
    takes: frozenset[str] = frozenset()
    origin: str | None = None


FOLDER_PREFIX = "folder:"

# What is said when a setting is given to a set that it makes no sense for.
REFUSALS = {
    "image_size": "has its own image size; only folders of images, faces and photos are resized",
    "target": "has one task only; data.target names an attribute of a set of faces",
    "private": "has no attributes; data.private names one of a set of faces",
}

# A new set is a module with these three names and a line here.
READERS = {
    "digits": Reader(digits.ABOUT, digits.locate, digits.read),
    "mnist": Reader(mnist.ABOUT, mnist.locate, mnist.read),
    "cifar10": Reader(cifar10.ABOUT, cifar10.locate, cifar10.read),
    "celeba": Reader(celeba.ABOUT, celeba.locate, celeba.read, frozenset(REFUSALS), celeba.ORIGIN),
    "imagenette": Reader(
        imagenette.ABOUT,
        imagenette.locate,
        imagenette.read,
        frozenset({"image_size"}),
        imagenette.ORIGIN,
    ),
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
        ['celeba', 'cifar10', 'digits', 'folder:PATH', 'imagenette', 'mnist']
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


def is_resized(name: str) -> bool:
    """Return whether the images of a set are resized to an ``image_size``.

    Args:
        name: As for :func:`load`.

    Example:
        >>> is_resized("celeba"), is_resized("mnist"), is_resized("folder:photos")
        (True, False, True)
    """
    return name not in READERS or "image_size" in READERS[name].takes


def load(
    name: str,
    *,
    root: Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    image_size: int | None = None,
    target: str | None = None,
    private: str | None = None,
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
        image_size: Height and width that the images are resized to: required for a folder, 64
            if omitted for faces, 256 for photos; the other sets have their own.
        target: Attribute that is Bob's task, required for faces.
        private: Attribute that Eve is after, of faces; Bob's task if omitted.

    Returns:
        The four parts.

    Raises:
        SemveilError: If there is no such set, its files are missing, damaged or altered, a
            setting makes no sense for it, or ``limit`` leaves too few images.

    Example:
        >>> parts = load("digits")
        >>> parts.image_shape, parts.n_classes
        ((1, 8, 8), 10)
    """
    source = _read(name, root, image_size=image_size, target=target, private=private)
    if source.test is None:
        train, test = hold_out(source.train, seed)
    else:
        train, test = source.train, source.test
    parts = split(source.name, train, test, source.classes, seed, limit=limit)
    return replace(parts, private_classes=source.private_classes)


def _read(name: str, root: Path | None, **settings: Any) -> Source:
    given = {key: value for key, value in settings.items() if value is not None}
    if name in READERS:
        reader = READERS[name]
        _refuse(name, given.keys() - reader.takes)
        return reader.read(root, **given)
    path = os.path.expanduser(name.removeprefix(FOLDER_PREFIX))
    if not (name.startswith(FOLDER_PREFIX) or os.sep in name or os.path.isdir(path)):
        raise unknown("data set", name, [*READERS, f"{FOLDER_PREFIX}PATH"])
    _refuse(f"image folder {path}", given.keys() - {"image_size"})
    if "image_size" not in given:
        raise SemveilError(f"image folder {path}: say which image size to resize to")
    return folder.read(Path(path), given["image_size"])


def _refuse(what: str, settings: set[str]) -> None:
    if settings:
        raise SemveilError(f"{what} {REFUSALS[min(settings)]}")
