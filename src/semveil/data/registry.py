"""The data sets by name: what there is, where it lies, and loading it."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from semveil.data import folder
from semveil.data.base import DATASETS
from semveil.data.splits import Images, ImageSplits, Source, hold_out, split
from semveil.errors import SemveilError, unknown
from semveil.recipe import DataConfig, Section

FOLDER_PREFIX = "folder:"


@dataclass(frozen=True)
class Status:
    """Whether a data set is there, and if not, the problem in one line."""

    name: str
    about: str
    where: Path | None
    problem: str | None


def names() -> dict[str, str]:
    """Return what :func:`load` can be asked for, each with one line about it."""
    found = {name: dataset.description for name, dataset in DATASETS.items()}
    return found | {f"{FOLDER_PREFIX}PATH": folder.DESCRIPTION}


def status(root: Path | None = None) -> list[Status]:
    """Say which data sets are there; looks for the files, does not read them."""
    entries = []
    for name, dataset in DATASETS.items():
        where, problem = None, None
        try:
            where = dataset().locate(root)
        except SemveilError as error:
            problem = str(error)
        entries.append(Status(name, dataset.description, where, problem))
    return entries


def is_folder(name: str) -> bool:
    """Return whether a name is the path of an image folder.

    The name of a registered data set is never a path: a folder of that name is ``./digits``.
    """
    if name.startswith(FOLDER_PREFIX) or os.sep in name:
        return True
    return name not in DATASETS and os.path.isdir(os.path.expanduser(name))


def is_resized(name: str) -> bool:
    """Return whether the images of a set are resized to an ``image_size``."""
    return name not in DATASETS or "image_size" in DATASETS.get(name).takes


def load(
    name: str,
    *,
    root: Path | None = None,
    seed: int = 0,
    limit: int | None = None,
    image_size: int | None = None,
    target: str | None = None,
    private: str | None = None,
    settings: Section | None = None,
) -> ImageSplits:
    """Load a data set, split into system, adversary, validation and test images.

    A set without an official test set has a fifth of its images, seeded and stratified, held
    out as one.

    Args:
        name: One of :func:`names`, ``"folder:PATH"``, or the path of an image folder (see
            :func:`semveil.data.folder.read`).
        root: Data folder; ``SEMVEIL_DATA`` if omitted. Embedded sets and image folders need none.
        seed: Decides who gets which image; the same seed gives the same parts.
        limit: Use at most this many training images in all; the test set is never limited.
        image_size: Height and width that the images are resized to: required for a folder, 64
            if omitted for faces, 256 for photos; the other sets have their own.
        target: Attribute that is Bob's task, for data sets with several; required for faces.
        private: Attribute that Eve is after, for data sets with several; Bob's task if omitted.
        settings: Those of the data set's own ``Config``, if it has one.

    Raises:
        SemveilError: If there is no such set, its files are missing, damaged or altered, a
            setting makes no sense for it, or ``limit`` leaves too few images.

    Example:
        >>> parts = load("digits")
        >>> parts.image_shape, parts.n_classes
        ((1, 8, 8), 10)
    """
    given = {"image_size": image_size, "target": target, "private": private}
    source = _read(name, root, settings, {k: v for k, v in given.items() if v is not None})
    if source.test is None:
        train, test = hold_out(source.train, seed)
    else:
        train, test = source.train, source.test
    _refuse_one_class(source, {"training": train, "test": test})
    parts = split(source.name, train, test, source.classes, seed, limit=limit)
    _refuse_one_class(source, {"system": parts.system, "adversary": parts.adversary})
    return replace(parts, private_classes=source.private_classes, private_name=source.private_name)


def load_configured(settings: DataConfig, root: Path | None = None, seed: int = 0) -> ImageSplits:
    """Load the data set that a recipe names; see :func:`load`."""
    own = None
    if settings.name in DATASETS and (config := DATASETS.get(settings.name).Config) is not None:
        own = settings.of(config)
    return load(
        settings.name,
        root=root,
        seed=seed,
        limit=settings.limit,
        image_size=settings.image_size if is_resized(settings.name) else None,
        target=settings.target,
        private=settings.private,
        settings=own,
    )


def _read(name: str, root: Path | None, settings: Section | None, given: dict[str, Any]) -> Source:
    path = os.path.expanduser(name.removeprefix(FOLDER_PREFIX))
    if is_folder(name):
        _refuse(f"image folder {path}", ("image_size",), given)
        if "image_size" not in given:
            raise SemveilError(
                "data.image_size: required for image folders; set it, for example "
                "data.image_size=64"
            )
        return folder.read(Path(path), given["image_size"])
    if name not in DATASETS.names():
        known = [*DATASETS.names(), f"{FOLDER_PREFIX}PATH"]
        raise unknown("data set", name, known, "semveil list datasets")
    dataset = DATASETS.get(name)(settings)
    _refuse(name, dataset.takes, given)
    read: Any = dataset.read
    source: Source = read(root, **given)
    return source


def _refuse_one_class(source: Source, parts: dict[str, Images]) -> None:
    """Refuse a task without a choice, such as an attribute that no person has."""
    for part, images in parts.items():
        tasks = [(source.classes, images.y)]
        if images.private is not None and source.private_classes is not None:
            tasks.append((source.private_classes, images.private))
        for classes, labels in tasks:
            if len(classes) > 1 and len(labels) and (labels == labels[0]).all():
                raise SemveilError(
                    f"{source.name}: all {len(labels)} {part} images are '{classes[labels[0]]}': "
                    "a task needs images of two classes"
                )


def _refuse(what: str, takes: Collection[str], given: dict[str, Any]) -> None:
    for setting in given.keys() - set(takes):
        able = [name for name, dataset in DATASETS.items() if setting in dataset.takes]
        folders = ["image folders"] if setting == "image_size" else []
        raise SemveilError(
            f"data.{setting}: {what} has none; it is a setting of {', '.join([*able, *folders])}"
        )
