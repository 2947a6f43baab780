"""Data sets that are missing, truncated or altered: one line that names the file, status 2."""

from __future__ import annotations

import gzip
import os
import struct
import sys
from pathlib import Path

import pytest

from commands import content, refusal, succeed

SHAPES = {
    "train-images-idx3-ubyte": (60000, 28, 28),
    "train-labels-idx1-ubyte": (60000,),
    "t10k-images-idx3-ubyte": (10000, 28, 28),
    "t10k-labels-idx1-ubyte": (10000,),
}


@pytest.fixture(scope="module")
def blank():
    """The four files of MNIST, of the right size and black all over."""
    files = {}
    for name, shape in SHAPES.items():
        header = struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape)
        size = 1
        for side in shape:
            size *= side
        files[f"{name}.gz"] = gzip.compress(header + bytes(size), 1)
    return files


@pytest.fixture
def refuse(semveil, tmp_path):
    def run(files, *more):
        raw = tmp_path / "data" / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name, packed in files.items():
            (raw / name).write_bytes(packed)
        before = content(tmp_path)
        words = ("run", "minmax-mnist", "--data", tmp_path / "data", *more)
        line = refusal(semveil(*words, folder=tmp_path))
        assert content(tmp_path) == before
        assert [path.name for path in tmp_path.iterdir()] == ["data"]
        return line

    return run


IMAGES = "train-images-idx3-ubyte.gz"


@pytest.mark.parametrize("name", [f"{name}.gz" for name in SHAPES])
def test_a_missing_file(refuse, blank, name):
    files = {there: packed for there, packed in blank.items() if there != name}
    assert name.removesuffix(".gz") in refuse(files)


def test_no_files_at_all(refuse):
    line = refuse({})
    assert "mnist is not in" in line
    assert "semveil data fetch mnist" in line


def test_no_folder(semveil, tmp_path):
    line = refusal(semveil("run", "minmax-mnist", "--data", "nowhere", folder=tmp_path))
    assert "mnist is not in nowhere" in line
    assert list(tmp_path.iterdir()) == []


def test_nobody_said_where(semveil, tmp_path):
    line = refusal(semveil("run", "minmax-mnist", folder=tmp_path))
    assert "set SEMVEIL_DATA" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_file(refuse, blank, share):
    packed = blank[IMAGES]
    line = refuse(blank | {IMAGES: packed[: int(share * len(packed))]})
    assert IMAGES in line
    assert "truncated" in line


def test_a_file_that_is_something_else(refuse, blank):
    line = refuse(blank | {IMAGES: b"<html>not found</html>"})
    assert IMAGES in line


def test_an_altered_file(refuse, blank):
    """As long as the published one, and unpacks: only its digest tells."""
    line = refuse(blank)
    assert IMAGES in line
    assert "is not the published file" in line


def test_the_environment_says_where_as_well(semveil, blank, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, packed in blank.items():
        (raw / name).write_bytes(packed[:40] if name == IMAGES else packed)
    line = refusal(
        semveil("run", "minmax-mnist", environment={"SEMVEIL_DATA": str(tmp_path)}, folder=tmp_path)
    )
    assert IMAGES in line
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


def test_a_folder_that_may_not_be_read_is_not_called_missing(semveil, tmp_path):
    closed = [place for place in Path(sys.prefix).parents if not place.stat().st_mode & 0o001]
    if not os.getuid() and closed:
        pytest.skip(f"nobody but the administrator may run what lies in {closed[0]}")
    for name in ("MNIST", "celeba", "imagenette2"):
        (tmp_path / name).mkdir(mode=0o700)
        (tmp_path / name).chmod(0)
    tmp_path.chmod(0o755)
    # The administrator may read everything.
    stranger = "import os\nif not os.getuid(): os.setuid(65534)"
    shown = succeed(semveil("data", "--data", ".", folder=tmp_path, before=stranger)).out
    for name in ("MNIST", "celeba", "imagenette2"):
        assert f"cannot read {name}: Permission denied" in shown


def test_a_study_without_its_data_leaves_no_folder(semveil, tmp_path):
    words = ("study", "latent-dimension", "--budget", "cpu", "--data", "nowhere", "--out", "s")
    assert "mnist is not in nowhere" in refusal(semveil(*words, folder=tmp_path))
    assert list(tmp_path.iterdir()) == []
