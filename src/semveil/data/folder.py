"""Any folder of images with one subfolder per class."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from semveil.data.decode import decode
from semveil.data.splits import Images, Source
from semveil.errors import SemveilError

DESCRIPTION = (
    "any image folder with one subfolder per class, resized; also train/ and test/ or val/"
)
SUFFIXES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".webp"}


def read(path: Path, image_size: int) -> Source:
    """Read an image folder.

    The classes are the subfolders of ``path`` in the order of their names. If ``path`` has the
    subfolders ``train`` and ``test`` (or ``val``, used only if there is no ``test``), the
    classes lie in these and they are the official training and test set. Images are decoded as by
    :func:`semveil.data.decode.decode`, and have one channel if all of them are grey.

    The first image of every class comes first, then the second of every class, and so on, so that
    any prefix of the set has all classes.

    Raises:
        SemveilError: If the folder has another form, or an image cannot be read.
    """
    if not os.path.isdir(path):
        raise SemveilError(f"there is no image folder {path}")
    held_out = next((path / n for n in ("test", "val") if os.path.isdir(path / n)), None)
    if held_out is None or not os.path.isdir(path / "train"):
        classes, train, grey = _read_classes(path, image_size)
        return Source(path.resolve().name, classes, _images(train, grey), None)
    classes, train, train_grey = _read_classes(path / "train", image_size)
    test_classes, test, test_grey = _read_classes(held_out, image_size)
    if classes != test_classes:
        odd = sorted(set(classes) ^ set(test_classes))[0]
        raise SemveilError(f"{path}: class '{odd}' is not in both train/ and {held_out.name}/")
    grey = train_grey and test_grey
    return Source(path.resolve().name, classes, _images(train, grey), _images(test, grey))


def _images(labelled: Images, grey: bool) -> Images:
    return Images(labelled.x[:, :1].copy(), labelled.y) if grey else labelled


def _read_classes(path: Path, image_size: int) -> tuple[tuple[str, ...], Images, bool]:
    """Return class names, images with three channels, and whether all of them are grey."""
    folders = [entry for entry in _entries(path) if os.path.isdir(entry)]
    if len(folders) < 2:
        raise SemveilError(f"{path}: needs one subfolder per class, has {len(folders)}")
    places: list[tuple[int, int, Path]] = []
    for label, folder in enumerate(folders):
        found = [entry for entry in _entries(folder) if entry.suffix.lower() in SUFFIXES]
        if not found:
            raise SemveilError(f"{folder}: no images ({', '.join(sorted(SUFFIXES))}) in it")
        places += [(number, label, file) for number, file in enumerate(found)]
    places.sort()
    x, grey = decode([file for _, _, file in places], image_size)
    y = np.array([label for _, label, _ in places], dtype=np.int64)
    return tuple(folder.name for folder in folders), Images(x, y), grey


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder in the order of the names, hidden entries left out."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise SemveilError(f"cannot read {folder}: {error.strerror}") from error
