"""MNIST, 28×28 grey: the four published IDX files, gzipped or not."""

from __future__ import annotations

import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semveil.data.base import DATASETS, Dataset
from semveil.data.paths import find_files, read_file, verify
from semveil.data.splits import Images, Source
from semveil.errors import SemveilError

FOLDER = "MNIST/raw"

# Shape, and sha256 of the uncompressed file, which does not depend on the compression.
FILES: dict[str, tuple[tuple[int, ...], str]] = {
    "train-images-idx3-ubyte": (
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "train-labels-idx1-ubyte": (
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "t10k-images-idx3-ubyte": (
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "t10k-labels-idx1-ubyte": (
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}


@DATASETS.register
class Mnist(Dataset):
    """MNIST."""

    name = "mnist"
    description = "70,000 handwritten digits, 28×28 grey, 10 classes"
    source = "LeCun, Cortes, Burges, 1998"
    licence = "CC BY-SA 3.0"

    def locate(self, root: Path | None = None) -> Path:
        """Return the folder of the four files: ``MNIST/raw`` below ``root``, or ``root``."""
        files = [(name, f"{name}.gz") for name in FILES]
        return find_files("mnist", root, FOLDER, files, ("mnist",))

    def read(self, root: Path | None = None) -> Source:
        """Read the official training and test set, every file checked against its digest."""
        folder = self.locate(root)
        arrays = []
        for name, (shape, digest) in FILES.items():
            arrays.append(_read_either(folder / name, shape, digest))
            if len(shape) == 1 and arrays[-1].max() > 9:
                raise SemveilError(f"{folder / name}: label {arrays[-1].max()} is not a digit")
        train_x, train_y, test_x, test_y = arrays
        return Source(
            "mnist",
            tuple(str(digit) for digit in range(10)),
            Images(train_x[:, None], train_y.astype(np.int64)),
            Images(test_x[:, None], test_y.astype(np.int64)),
        )


def _read_either(path: Path, shape: tuple[int, ...], sha256: str) -> NDArray[np.uint8]:
    """Read a file gzipped or, if that one is missing or damaged, as it is."""
    packed = path.with_name(f"{path.name}.gz")
    if os.path.isfile(packed):
        try:
            return read_idx(packed, shape, sha256)
        except SemveilError:
            if not os.path.isfile(path):
                raise
    return read_idx(path, shape, sha256)


def read_idx(path: Path, shape: tuple[int, ...], sha256: str | None = None) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, refusing everything that is not exactly that."""
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
    length = len(header) + math.prod(shape)
    content = read_file(path)
    if path.suffix == ".gz":
        content = _unzip(path, content, length)
    if content[:2] != b"\0\0":
        raise SemveilError(f"{path} is not an IDX file (wrong magic number)")
    if content[2:3] != b"\x08":
        raise SemveilError(f"{path}: elements are not unsigned bytes")
    if content[: len(header)] != header:
        raise SemveilError(f"{path}: dimensions are not {'×'.join(map(str, shape))}")
    if len(content) != length:
        what = "truncated" if len(content) < length else "followed by other data"
        raise SemveilError(f"{path}: the array of {'×'.join(map(str, shape))} is {what}")
    if sha256 is not None:
        verify(path, content, "sha256", sha256)
    # A copy, because an array over immutable bytes cannot be shared with a tensor.
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape).copy()


def _unzip(path: Path, packed: bytes, length: int) -> bytes:
    """Unpack one gzip member of at most ``length`` bytes with nothing after it."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        # One byte more than expected shows the excess without unpacking all of a bomb.
        content = unpacker.decompress(packed, length + 1)
        if len(content) <= length and not unpacker.eof:
            content += unpacker.decompress(unpacker.unconsumed_tail, 1)
    except zlib.error as error:
        raise SemveilError(f"{path} is not a sound gzip file: {error}") from error
    if len(content) <= length and not unpacker.eof:
        raise SemveilError(f"{path}: the gzip file is truncated")
    if unpacker.unused_data:
        raise SemveilError(f"{path}: the gzip file is followed by other data")
    return content
