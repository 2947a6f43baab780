"""Any folder of images with one subfolder per class."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from semveil.data.decode import decode
from semveil.data.splits import Images, Source
from semveil.errors import SemveilError, SemveilWarning

DESCRIPTION = (
    "any image folder with one subfolder per class, resized; also train/ and test/ or val/"
)
SUFFIXES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".webp"}


# Names of parts of a set, in any case; of these, only train, test and val are read.
_TRAINING = ("train", "training")
_TESTS = ("test", "testing", "val", "valid", "validation", "dev", "eval")
_LAYOUT = "expected train/ and test/ (or val/), each with one subfolder per class"


def read(path: Path, image_size: int) -> Source:
    """Read an image folder.

    The classes are the subfolders of ``path`` in the order of their names. If ``path`` has the
    subfolders ``train`` and ``test`` (or ``val``, used only if there is no ``test``), the
    classes lie in these and they are the official training and test set. Images are decoded as by
    :func:`semveil.data.decode.decode`, and have one channel if all of them are grey.

    The first image of every class comes first, then the second of every class, and so on, so that
    any prefix of the set has all classes. A warning counts what is not read: files of other
    formats, and folders within those of the classes.

    Raises:
        SemveilError: If the folder has another form, or an image cannot be read.
    """
    if not os.path.isdir(path):
        raise SemveilError(f"there is no image folder {path}")
    unread: Counter[str] = Counter()
    official = _official(path, unread)
    name = path.resolve().name
    if official is None:
        classes, train, grey = _read_classes(path, image_size, unread)
        _warn(path, unread)
        return Source(name, classes, _images(train, grey), None)
    classes, train, train_grey = _read_classes(official[0], image_size, unread)
    test_classes, test, test_grey = _read_classes(official[1], image_size, unread)
    _warn(path, unread)
    if classes != test_classes:
        odd = sorted(set(classes) ^ set(test_classes))[0]
        raise SemveilError(f"{path}: class '{odd}' is not in both train/ and {official[1].name}/")
    grey = train_grey and test_grey
    return Source(name, classes, _images(train, grey), _images(test, grey))


def _official(path: Path, unread: Counter[str]) -> tuple[Path, Path] | None:
    """Return the folders of training and test set; None if the classes lie in ``path`` itself."""
    entries = _entries(path)
    parts = {
        entry.name: entry
        for entry in entries
        if entry.name.lower() in _TRAINING + _TESTS and os.path.isdir(entry)
    }
    lower = {name.lower() for name in parts}
    both = lower & set(_TRAINING) and lower & set(_TESTS)
    # A class may be called so: its folder has images, that of a part has folders of classes.
    inside = [entry for part in parts.values() for entry in _entries(part)]
    if not both and not any(map(os.path.isdir, inside)):
        return None
    held_out = next((parts[name] for name in ("test", "val") if name in parts), None)
    if held_out is None or "train" not in parts:
        found = ", ".join(f"{name}/" for name in parts)
        raise SemveilError(f"{path} has {found}: {_LAYOUT}")
    if os.path.samefile(parts["train"], held_out):
        raise SemveilError(f"{path}: train/ and {held_out.name}/ are the same folder")
    _count(set(entries) - {parts["train"], held_out}, unread)
    return parts["train"], held_out


def _images(labelled: Images, grey: bool) -> Images:
    return Images(labelled.x[:, :1].copy(), labelled.y) if grey else labelled


def _read_classes(
    path: Path, image_size: int, unread: Counter[str]
) -> tuple[tuple[str, ...], Images, bool]:
    """Return class names, images with three channels, and whether all of them are grey."""
    entries = _entries(path)
    folders = [entry for entry in entries if os.path.isdir(entry)]
    _count(set(entries) - set(folders), unread)
    if len(folders) < 2:
        raise SemveilError(f"{path}: needs one subfolder per class, has {len(folders)}")
    places: list[tuple[int, int, Path]] = []
    for label, folder in enumerate(folders):
        entries = _entries(folder)
        found = [entry for entry in entries if entry.suffix.lower() in SUFFIXES]
        others: Counter[str] = Counter()
        _count(set(entries) - set(found), others)
        if not found:
            held = f", only {_listed(others)}" if others else ""
            raise SemveilError(f"{folder}: no images ({', '.join(sorted(SUFFIXES))}) in it{held}")
        unread.update(others)
        places += [(number, label, file) for number, file in enumerate(found)]
    places.sort()
    x, grey = decode([file for _, _, file in places], image_size)
    y = np.array([label for _, label, _ in places], dtype=np.int64)
    return tuple(folder.name for folder in folders), Images(x, y), grey


def _count(entries: Iterable[Path], unread: Counter[str]) -> None:
    """Count what is not read, by suffix."""
    for entry in entries:
        kind = "folder" if os.path.isdir(entry) else entry.suffix.lower()
        unread[kind or "file without a suffix"] += 1


def _listed(unread: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(unread.items()))


def _warn(path: Path, unread: Counter[str]) -> None:
    if unread:
        warnings.warn(
            f"{path}: not read: {_listed(unread)} (images are {', '.join(sorted(SUFFIXES))}, "
            "directly in the folders of their classes)",
            SemveilWarning,
            stacklevel=3,
        )


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder in the order of the names, hidden entries left out."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise SemveilError(f"cannot read {folder}: {error.strerror}") from error
