"""CelebA, faces with 40 attributes: the aligned images and their lists as published.

Liu, Luo, Wang, Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015. One attribute is
Bob's task, another may be Eve's. The lists may cover any part of the set, so digests are not
checked; every image that they name must exist.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semveil.data.base import DATASETS, Dataset
from semveil.data.decode import decode
from semveil.data.paths import ROOT_VARIABLE, data_root, read_file, refuse_packed
from semveil.data.splits import Images, Source
from semveil.errors import SemveilError, unknown

FOLDER = "celeba"
IMAGES = "img_align_celeba"
ATTRIBUTES = ("list_attr_celeba.txt", "list_attr_celeba.csv")
PARTITION = ("list_eval_partition.txt", "list_eval_partition.csv")
IDENTITY = ("identity_CelebA.txt", "identity_CelebA.csv")
IMAGE_SIZE = 64
TRAIN, VALIDATION, TEST = 0, 1, 2  # of the official partition; validation images are not used
# Between the words of a list, and around them.
_MARKS = str.maketrans({",": " ", ";": " ", '"': None, "'": None})


@DATASETS.register
class CelebA(Dataset):
    """CelebA, labelled with one attribute or two."""

    name = "celeba"
    description = "faces, resized; any of 40 attributes as task (data.target); the set or a part"
    source = "Liu, Luo, Wang, Tang, ICCV 2015"
    origin = "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
    takes = ("image_size", "target", "private")

    def locate(self, root: Path | None = None) -> Path:
        """Return the folder with images and lists: ``celeba`` below ``root``, or ``root``."""
        base = data_root(root)
        needed = ((IMAGES,), ATTRIBUTES, PARTITION)
        remedy = f"agree to its terms and get it from {self.origin}"
        # The root may be a folder of the set itself.
        places = (base / FOLDER, base, *([base.parent] if base.name == IMAGES else []))
        for place in places:
            missing = [names[0] for names in needed if _first(place, names) is None]
            if not missing:
                return place
            if missing[0] == IMAGES:
                refuse_packed(self.name, [place], (IMAGES,))
            if len(missing) < len(needed):
                raise SemveilError(f"celeba: {place / missing[0]} is missing; {remedy}")
        refuse_packed(self.name, [base, base / FOLDER], (FOLDER, IMAGES))
        raise SemveilError(
            f"celeba is not in {base} (no {FOLDER}/); {remedy}, "
            f"or set {ROOT_VARIABLE} to the folder that holds it"
        )

    def read(
        self,
        root: Path | None = None,
        *,
        image_size: int = IMAGE_SIZE,
        target: str | None = None,
        private: str | None = None,
    ) -> Source:
        """Read the official training and test set; the official validation set is left out.

        The central 178×178 is resized (bicubic, antialiased); a list of identities is optional.
        """
        place = self.locate(root)
        files, labels = _attributes(_found(place, ATTRIBUTES), target, private)
        partition = _found(place, PARTITION)
        part = _numbers(partition, files)
        if odd := sorted(set(part.tolist()) - {TRAIN, VALIDATION, TEST}):
            raise SemveilError(f"{partition}: a part is {odd[0]} somewhere, not 0, 1 or 2")
        identity = _first(place, IDENTITY)
        person = None if identity is None else _numbers(identity, files)
        # Some copies of the set have the images in a folder of the same name once more.
        folder = _first(place / IMAGES, (IMAGES,)) or place / IMAGES

        def images(which: int) -> Images:
            rows = np.flatnonzero(part == which)
            x, _ = decode([folder / files[row] for row in rows], image_size)
            return Images(
                x,
                labels[0][rows],
                labels[1][rows] if private else None,
                None if person is None else person[rows],
            )

        return Source(
            "celeba",
            _classes(str(target)),
            images(TRAIN),
            images(TEST),
            _classes(private) if private else None,
        )


def _classes(attribute: str) -> tuple[str, str]:
    return f"not {attribute}", attribute


def _first(place: Path, names: Sequence[str]) -> Path | None:
    return next((place / name for name in names if os.path.exists(place / name)), None)


def _found(place: Path, names: Sequence[str]) -> Path:
    return _first(place, names) or place / names[0]


def _rows(path: Path) -> Iterator[list[str]]:
    """Yield the words of every line, separated by blanks, commas or semicolons, quoted or not."""
    try:
        text = read_file(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SemveilError(f"{path} is not text") from None
    for line in text.translate(_MARKS).splitlines():
        if words := line.split():
            yield words


def _attributes(
    path: Path, target: str | None, private: str | None
) -> tuple[list[str], list[NDArray[np.int64]]]:
    """Return the names of the images, and one array of 0 and 1 for each attribute asked for."""
    rows = _rows(path)
    head = next(rows, [])
    stated = None
    if len(head) == 1:
        stated, head = head[0], next(rows, [])
    names = [name for name in head if name != "image_id"]
    if not names:
        raise SemveilError(f"{path} is not a list of attributes: it names none")
    columns = [names.index(name) + 1 for name in _chosen(names, target, private)]
    files, values = [], []
    for row in rows:
        if len(row) != len(names) + 1:
            raise SemveilError(
                f"{path} is not a list of attributes: {row[0]} does not have one value each"
            )
        files.append(row[0])
        # Keeping the words of the whole list would take half a gigabyte.
        values.append([row[column] for column in columns])
    if stated not in (None, str(len(files))):
        raise SemveilError(f"{path} states {stated} images, but has {len(files)}")
    _refuse_twice(path, files)
    table = np.array(values).reshape(len(files), len(columns))
    if strange := set(table.flat) - {"-1", "1"}:
        raise SemveilError(f"{path}: an attribute is {min(strange)} somewhere, not -1 or 1")
    return files, [(column == "1").astype(np.int64) for column in table.T]


def _chosen(names: list[str], target: str | None, private: str | None) -> list[str]:
    """Return the attributes asked for, after a check that they exist."""
    if target is None:
        listed = ", ".join(sorted(names))
        raise SemveilError(f"data.target: required for celeba; set one of {listed}")
    if target == private:
        raise SemveilError(
            f"data.private: {private} is already data.target; set another attribute or none"
        )
    chosen = [target] if private is None else [target, private]
    for attribute in chosen:
        if attribute not in names:
            raise unknown("attribute of celeba", attribute, names)
    return chosen


def _refuse_twice(path: Path, files: list[str]) -> None:
    if len(set(files)) < len(files):
        twice = Counter(files).most_common(1)[0][0]
        raise SemveilError(f"{path}: {twice} is in it twice")


def _numbers(path: Path, files: list[str]) -> NDArray[np.int64]:
    """Return the number of every file in a list."""
    try:
        rows = [(row[0], int(row[1])) for row in _rows(path) if row[0] != "image_id"]
    except (IndexError, ValueError):
        raise SemveilError(f"{path} is not a list with a name and a number per line") from None
    _refuse_twice(path, [file for file, _ in rows])
    known = dict(rows)
    if absent := [file for file in files if file not in known]:
        raise SemveilError(f"{path}: {absent[0]} is not in it")
    return np.array([known[file] for file in files], dtype=np.int64)
