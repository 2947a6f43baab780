"""CIFAR-10, 32×32 colour: the published "python version" batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semveil.data.base import DATASETS, Dataset
from semveil.data.paths import find_files, read_file, verify
from semveil.data.safe_unpickle import unpickle_arrays
from semveil.data.splits import Images, Source
from semveil.errors import SemveilError

FOLDER = "cifar-10-batches-py"
META = "batches.meta"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"

MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}


@DATASETS.register
class Cifar10(Dataset):
    """CIFAR-10."""

    name = "cifar10"
    description = "60,000 small photos, 32×32 colour, 10 classes"
    source = "Krizhevsky, 2009"
    licence = "none stated by its publisher"

    def locate(self, root: Path | None = None) -> Path:
        """Return the folder of the batches: ``cifar-10-batches-py`` below ``root``, or ``root``."""
        files = [(name,) for name in MD5]
        return find_files("cifar10", root, FOLDER, files, ("cifar-10-python", "cifar10"))

    def read(self, root: Path | None = None) -> Source:
        """Read the official training and test set, every file checked against its digest first."""
        folder = self.locate(root)
        classes = read_classes(folder / META, MD5[META])
        batches = [read_batch(folder / name, MD5[name]) for name in TRAIN]
        train = Images(
            np.concatenate([batch.x for batch in batches]),
            np.concatenate([batch.y for batch in batches]),
        )
        return Source("cifar10", classes, train, read_batch(folder / TEST, MD5[TEST]))


def read_batch(path: Path, md5: str | None) -> Images:
    """Read one batch file; without a digest only the restricted unpickler protects."""
    batch = _unpickle(path, md5)
    data, labels = batch.get(b"data"), batch.get(b"labels")
    if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != 3 * 32 * 32:
        raise SemveilError(f"{path}: no rows of 3072 pixels in it")
    if not isinstance(labels, list) or len(labels) != len(data):
        raise SemveilError(f"{path}: not one label for each of its {len(data)} images")
    if not all(type(label) is int and 0 <= label <= 9 for label in labels):
        raise SemveilError(f"{path}: a label is not one of 0..9")
    # A copy, since a tensor cannot share an array over immutable bytes.
    return Images(data.reshape(-1, 3, 32, 32).copy(), np.array(labels, dtype=np.int64))


def read_classes(path: Path, md5: str | None) -> tuple[str, ...]:
    """Read the names of the ten classes."""
    names = _unpickle(path, md5).get(b"label_names")
    if not isinstance(names, list) or len(names) != 10 or any(type(n) is not bytes for n in names):
        raise SemveilError(f"{path}: no ten class names in it")
    return tuple(name.decode("ascii", "replace") for name in names)


def _unpickle(path: Path, md5: str | None) -> dict[object, object]:
    content = read_file(path)
    if md5 is not None:
        verify(path, content, "md5", md5)
    loaded = unpickle_arrays(path, content)
    if not isinstance(loaded, dict):
        raise SemveilError(f"{path}: no batch of CIFAR-10")
    return loaded
