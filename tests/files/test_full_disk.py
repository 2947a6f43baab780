"""Files where there is no room: the old content stays, nothing is left over, one line says why."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from commands import NO_PAGE, SAVE_ALWAYS, content, refusal, settings, succeed
from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.training.checkpoint import load_tensors, save_tensors


@contextlib.contextmanager
def small_disk(where: Path, kilobytes: int):
    """Mount a file system of some size; skip the test where one may not."""
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "semveil-test", where]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", where], check=True)


@contextlib.contextmanager
def short_files(limit: int):
    """Let no file grow beyond some bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.fixture(params=["full disk", "short files"])
def room(request, tmp_path):
    """A folder in which 1 MB fits and 2 MB do not, and what the system says about it."""
    if request.param == "full disk":
        with small_disk(tmp_path / "disk", 2500) as folder:
            yield folder, "No space left on device"
    else:
        (tmp_path / "folder").mkdir()
        with short_files(1_500_000):
            yield tmp_path / "folder", "File too large"


def test_the_old_file_survives(room):
    folder, reason = room
    path = folder / "a"
    write_atomic(path, b"o" * 1_000_000)
    with pytest.raises(SemveilError) as error:
        write_atomic(path, b"n" * 2_000_000)
    assert str(error.value) == f"cannot write {path}: {reason}"
    assert content(folder) == {"a": b"o" * 1_000_000}
    write_atomic(path, b"n" * 1_000_000)
    assert content(folder) == {"a": b"n" * 1_000_000}


def test_the_old_checkpoint_survives(room):
    folder, reason = room
    path = folder / "x.safetensors"
    save_tensors(path, {"w": torch.ones(250_000)}, {"step": 1})
    with pytest.raises(SemveilError, match=reason):
        save_tensors(path, {"w": torch.zeros(500_000)}, {"step": 2})
    tensors, facts = load_tensors(path)
    assert facts == {"step": 1}
    assert torch.equal(tensors["w"], torch.ones(250_000))
    assert os.listdir(folder) == [path.name]


def test_a_first_file_leaves_nothing(room):
    folder, _ = room
    with pytest.raises(SemveilError):
        write_atomic(folder / "a", bytes(3_000_000))
    assert os.listdir(folder) == []


RECIPE = ["quickstart", *settings("scheme=multitask")]


def size_of_a_checkpoint(semveil, folder):
    """Return the size of the checkpoint of a run that was killed after its first."""
    die = "real = loop.save_tensors\n"
    die += "def save(*a):\n real(*a); import os; os.kill(os.getpid(), 9)\nloop.save_tensors = save"
    result = semveil("train", *RECIPE, "--out", folder, before=f"{SAVE_ALWAYS}\n{die}")
    assert result.code == -9
    return (folder / "multitask.checkpoint.safetensors").stat().st_size


def test_a_disk_that_fills_up_in_training(semveil, tmp_path, finished):
    """The first checkpoint fits, the second does not fit beside it; with more room it goes on."""
    size = size_of_a_checkpoint(semveil, tmp_path / "measured")
    with small_disk(tmp_path / "disk", int(1.6 * size) // 1024) as disk:
        folder = disk / "run"
        before = SAVE_ALWAYS + NO_PAGE
        line = refusal(semveil("run", *RECIPE, "--out", folder, "--quiet", before=before))
        checkpoint = folder / "multitask.checkpoint.safetensors"
        assert line == f"cannot write {checkpoint}: No space left on device"
        assert load_tensors(checkpoint)[1]["step"] == 20
        assert sorted(os.listdir(folder)) == [checkpoint.name, "run.json"]
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        succeed(semveil("train", "--resume", folder, "--quiet", before=before))
        assert not checkpoint.exists()
        # The first stage of that run is this one's only stage.
        unbroken, found = (load_file(run / "model.safetensors") for run in (finished, folder))
        assert len(found) > 10
        assert all(np.array_equal(found[name], unbroken[name]) for name in found)


def test_a_disk_that_is_full_from_the_start(semveil, tmp_path):
    with small_disk(tmp_path / "disk", 100) as disk:
        (disk / "filler").touch()
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        line = refusal(semveil("train", *RECIPE, "--out", disk / "run"))
        assert line == f"cannot write {disk / 'run' / 'run.json'}: No space left on device"
        assert os.listdir(disk) == ["filler"]


def test_files_that_may_not_grow(semveil, tmp_path):
    """As with a quota: the settings still fit, the weights do not."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    folder = tmp_path / "run"
    line = refusal(semveil("train", *RECIPE, "--out", folder, "--quiet", before=limit))
    name = folder / "multitask.checkpoint.safetensors"
    assert line == f"cannot write {name}: File too large"
    assert os.listdir(folder) == ["run.json"]
