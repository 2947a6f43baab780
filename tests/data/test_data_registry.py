"""Data sets by name: what there is, where it lies, and what is said if it does not."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from semveil.data import DATASETS, load, names, status
from semveil.errors import SemveilError


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEMVEIL_DATA", raising=False)


def test_digits_are_those_of_scikit_learn() -> None:
    parts = load("digits")
    assert parts.image_shape == (1, 8, 8)
    assert parts.n_classes == 10
    sizes = [len(p) for p in (parts.system, parts.adversary, parts.validation, parts.test)]
    assert sum(sizes) == 1797
    assert sizes == pytest.approx([935, 359, 144, 359], abs=2)
    levels = np.unique(np.concatenate([parts.system.x, parts.test.x]))
    assert set(levels) == {round(level * 255 / 16) for level in range(17)}


def test_splits_of_a_seed_are_for_ever() -> None:
    """Published numbers name a seed: what it stands for must not change unnoticed."""
    parts = load("digits", seed=0)
    content = b"".join(p.x.tobytes() for p in (parts.system, parts.adversary, parts.validation))
    assert hashlib.sha256(content).hexdigest().startswith("629ef99ce7bd9c2c")


def test_a_folder_that_is_named_like_a_set_is_not_the_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert load("digits").image_shape == (1, 8, 8)
    with pytest.raises(SemveilError, match="image_size"):
        load("./digits")


def test_no_torch_needed() -> None:
    code = "import semveil.data, semveil.data.fetch, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_names_and_status_agree(tmp_path: Path) -> None:
    assert set(names()) == {*DATASETS.names(), "folder:PATH"}
    assert all(about and "\n" not in about for about in names().values())
    entries = {entry.name: entry for entry in status(tmp_path)}
    assert set(entries) == set(DATASETS.names())
    assert entries["digits"].problem is None
    assert entries["mnist"].problem is not None
    assert "semveil data fetch mnist" in entries["mnist"].problem
    assert entries["celeba"].problem is not None
    assert "agree to its terms" in entries["celeba"].problem
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for kind in ("train", "t10k"):
        for what in ("images-idx3", "labels-idx1"):
            (raw / f"{kind}-{what}-ubyte").touch()
    assert {e.name: e.where for e in status(tmp_path)}["mnist"] == raw


def test_root_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SemveilError, match="no data folder: set SEMVEIL_DATA"):
        load("mnist")
    monkeypatch.setenv("SEMVEIL_DATA", str(tmp_path))
    with pytest.raises(SemveilError, match="run 'semveil data fetch mnist'") as error:
        load("mnist")
    assert str(tmp_path) in str(error.value)
    with pytest.raises(SemveilError, match="cifar10 is not in /elsewhere"):
        load("cifar10", root=Path("/elsewhere"))


def test_unknown_names() -> None:
    with pytest.raises(SemveilError, match="unknown data set 'cifar': did you mean 'cifar10'"):
        load("cifar")
    for name in ("x" * 300, "", "~nobody/images", "folder:"):
        with pytest.raises(SemveilError) as error:
            load(name)
        assert "\n" not in str(error.value)
    with pytest.raises(SemveilError, match=r"data\.image_size: digits has none"):
        load("digits", image_size=16)
