"""The published sets themselves, where they are on the machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from semveil.data import Images, load
from semveil.data.celeba import CelebA
from semveil.data.cifar10 import Cifar10
from semveil.data.mnist import Mnist
from semveil.errors import SemveilError

pytestmark = [
    pytest.mark.dataset,
    pytest.mark.skipif("SEMVEIL_DATA" not in os.environ, reason="SEMVEIL_DATA is not set"),
]


def moments(images: Images) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of pixel/255 per channel, to four digits."""
    levels = np.arange(256) / 255
    means, deviations = [], []
    for channel in range(images.x.shape[1]):
        share = np.bincount(images.x[:, channel].ravel(), minlength=256) / images.x[:, 0].size
        mean = float(share @ levels)
        means.append(round(mean, 4))
        deviations.append(round(float(np.sqrt(share @ (levels - mean) ** 2)), 4))
    return means, deviations


def test_mnist() -> None:
    source = Mnist().read()
    assert source.test is not None
    assert source.train.x.shape == (60000, 1, 28, 28)
    assert source.test.x.shape == (10000, 1, 28, 28)
    assert np.bincount(source.train.y).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert np.bincount(source.test.y).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert moments(source.train) == ([0.1307], [0.3081])
    assert source.test.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_cifar10() -> None:
    source = Cifar10().read()
    assert source.test is not None
    assert source.train.x.shape == (50000, 3, 32, 32)
    assert np.bincount(source.train.y).tolist() == [5000] * 10
    assert np.bincount(source.test.y).tolist() == [1000] * 10
    assert moments(source.train) == ([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616])
    assert source.classes == (
        "airplane", "automobile", "bird", "cat", "deer",
        "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "sizes"),
    [("mnist", [39000, 15000, 6000, 10000]), ("cifar10", [32500, 12500, 5000, 10000])],
)
def test_parts_are_disjoint(name: str, sizes: list[int]) -> None:
    parts = load(name, seed=1)
    found = [parts.system, parts.adversary, parts.validation, parts.test]
    assert [len(part) for part in found] == sizes
    seen: set[int] = set()
    for part in found:
        contents = {hash(image.tobytes()) for image in part.x}
        assert not seen & contents
        seen |= contents


@pytest.fixture
def faces() -> None:
    """Skip where the set of faces, which is not for everybody, is not there."""
    try:
        CelebA().locate()
    except SemveilError as error:
        pytest.skip(str(error))


def test_celeba_has_the_labels_of_its_list(faces: None) -> None:
    source = CelebA().read(image_size=8, target="Mustache", private="Male")
    assert source.test is not None
    rows = [line.split() for line in (CelebA().locate() / "list_attr_celeba.txt").open()][2:]
    official = [
        int(line.split()[1]) for line in (CelebA().locate() / "list_eval_partition.txt").open()
    ]
    for images, part in ((source.train, 0), (source.test, 2)):
        chosen = [row[1:] for row, which in zip(rows, official, strict=True) if which == part]
        assert images.y.tolist() == [int(row[22] == "1") for row in chosen]
        assert images.private is not None
        assert images.private.tolist() == [int(row[20] == "1") for row in chosen]
    # Whole or in part, the set has few mustaches, and almost none on women.
    assert source.train.private is not None
    assert source.train.y.mean() < 0.1
    assert source.train.private[source.train.y == 1].mean() > 0.97


def test_nobody_in_celeba_is_in_two_parts(faces: None) -> None:
    parts = load("celeba", target="Smiling", image_size=8, seed=1)
    found = [parts.system, parts.adversary, parts.validation, parts.test]
    if parts.test.person is None:
        pytest.skip("this copy of CelebA has no list of identities")
    people = [set(part.person.tolist()) for part in found]
    assert sum(map(len, people)) == len(set().union(*people))
    total = sum(len(part) for part in found[:3])
    assert [len(p) / total for p in found[:3]] == pytest.approx([0.65, 0.25, 0.1], abs=0.02)
    shares = [part.y.mean() for part in found[:3]]
    assert shares == pytest.approx([np.concatenate([p.y for p in found[:3]]).mean()] * 3, abs=0.05)


def test_one_altered_byte_is_noticed(tmp_path: Path) -> None:
    shutil.copytree(Mnist().locate(), tmp_path / "raw", copy_function=shutil.copyfile)
    file = tmp_path / "raw" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(file.read_bytes())
    content[2000] ^= 1
    file.write_bytes(content)
    with pytest.raises(SemveilError, match="t10k-labels"):
        Mnist().read(tmp_path / "raw")
