"""IDX files that are damaged, altered or something else."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from semveil.data import mnist
from semveil.data.mnist import Mnist, read_idx
from semveil.errors import SemveilError

SHAPE = (5, 3, 2)
PIXELS = np.arange(30, dtype=np.uint8)
HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 2])
SOUND = HEADER + PIXELS.tobytes()


def refuse(path: Path, content: bytes, reason: str) -> None:
    path.write_bytes(content)
    with pytest.raises(SemveilError, match=reason) as error:
        read_idx(path, SHAPE)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_sound_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(SOUND) if name.endswith("gz") else SOUND)
    read = read_idx(path, SHAPE, hashlib.sha256(SOUND).hexdigest())
    assert read.dtype == np.uint8
    assert read.flags.writeable
    assert np.array_equal(read, PIXELS.reshape(SHAPE))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not an IDX file"),
        (b"\x01" + SOUND[1:], "magic"),
        (b"<html>not here</html>", "magic"),
        (SOUND[:2] + b"\x0d" + SOUND[3:], "not unsigned bytes"),
        (SOUND[:3] + b"\x01" + SOUND[4:], "dimensions are not 5×3×2"),
        (SOUND[:7] + b"\x06" + SOUND[8:], "dimensions are not 5×3×2"),
        (SOUND[:4] + b"\xff" * 12 + SOUND[16:], "dimensions are not 5×3×2"),
        (SOUND[:10], "dimensions are not"),
        (SOUND[:-1], "truncated"),
        (SOUND + b"\0", "followed by other data"),
    ],
)
def test_wrong_content_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    refuse(tmp_path / "plain", content, reason)
    if content:
        refuse(tmp_path / "packed.gz", gzip.compress(content), reason)


def test_wrong_compression_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(SOUND)
    path = tmp_path / "images.gz"
    refuse(path, b"", "truncated")
    refuse(path, packed[:-1], "truncated")
    refuse(path, packed[: len(packed) // 2], "truncated")
    refuse(path, SOUND, "not a sound gzip file")
    refuse(path, packed[:-6] + bytes(6), "not a sound gzip file")
    refuse(path, packed + b"more", "followed by other data")
    refuse(path, packed + packed, "followed by other data")
    refuse(path, gzip.compress(SOUND + bytes(10_000_000)), "followed by other data")


def test_altered_pixel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "images"
    path.write_bytes(SOUND[:-1] + b"\0")
    with pytest.raises(SemveilError, match="sha256 differs"):
        read_idx(path, SHAPE, hashlib.sha256(SOUND).hexdigest())


def test_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(SemveilError, match=r"cannot read .*images: No such file"):
        read_idx(tmp_path / "images", SHAPE)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of the form of MNIST with 20 training and 10 test images."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    files = {}
    for name, (shape, _) in mnist.FILES.items():
        shape = ({60000: 20, 10000: 10}[shape[0]], *shape[1:])
        array = np.random.default_rng(1).integers(0, 10, shape, dtype=np.uint8)
        header = bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape)
        content = header + array.tobytes()
        (raw / f"{name}.gz").write_bytes(gzip.compress(content))
        files[name] = (shape, hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(mnist, "FILES", files)
    return tmp_path


def test_layouts(small: Path) -> None:
    raw = small / "MNIST" / "raw"
    for root in (small, raw, raw.parent):
        source = Mnist().read(root)
        assert source.train.x.shape == (20, 1, 28, 28)
        assert source.test is not None
        assert source.test.x.shape == (10, 1, 28, 28)
    for file in list(raw.iterdir()):
        file.with_suffix("").write_bytes(gzip.decompress(file.read_bytes()))
        file.unlink()
    assert np.array_equal(Mnist().read(small).train.x, source.train.x)


def test_a_damaged_gzip_file_beside_a_sound_raw_one_does_not_matter(small: Path) -> None:
    packed = small / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz"
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.write_bytes(b"<html>not found</html>")
    assert Mnist().read(small).test is not None
    packed.with_suffix("").unlink()
    with pytest.raises(SemveilError, match=r"t10k-labels-idx1-ubyte\.gz is not a sound gzip file"):
        Mnist().read(small)


def test_missing_file_is_named(small: Path) -> None:
    (small / "MNIST" / "raw" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(SemveilError, match=r"t10k-labels.* is missing; run 'semveil data fetch"):
        Mnist().read(small)


def test_label_that_is_no_digit_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "t10k-labels-idx1-ubyte"
    content = bytes([0, 0, 8, 1, 0, 0, 0, 10, *range(1, 11)])
    (small / "MNIST" / "raw" / f"{name}.gz").write_bytes(gzip.compress(content))
    with pytest.raises(SemveilError, match="sha256 differs"):
        Mnist().read(small)
    monkeypatch.setitem(mnist.FILES, name, ((10,), hashlib.sha256(content).hexdigest()))
    with pytest.raises(SemveilError, match="label 10 is not a digit"):
        Mnist().read(small)
