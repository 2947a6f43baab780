"""Training shared by two processes: the same numbers as one, and errors in one line."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from commands import (
    SAVE_ALWAYS,
    SMALL,
    eventually,
    refusal,
    rows,
    same_results,
    scraps,
    settings,
    succeed,
)


@pytest.mark.slow
def test_two_processes_train_as_one_does(semveil, tmp_path):
    """Both halves of every batch see the fading and noise that the whole would have seen.

    What is left is the order of additions: of gradients, and in the sums of smaller matrices.
    """
    both = ("train", "quickstart", *settings("train.precision=float32"), "--quiet")
    for devices, name in ((2, "two"), (1, "one")):
        result = succeed(semveil(*both, "--devices", devices, "--out", tmp_path / name))
        assert (result.out, result.err) == ("", "")
        assert scraps(tmp_path / name) == []

    one, two = (rows(tmp_path / name / "history.jsonl") for name in ("one", "two"))
    assert len(one) == len(two) == 6
    for alone, shared in zip(one, two, strict=True):
        assert alone.keys() == shared.keys()
        assert (alone.pop("stage"), alone.pop("step")) == (shared.pop("stage"), shared.pop("step"))
        np.testing.assert_allclose(
            np.array(list(shared.values())), np.array(list(alone.values())), rtol=1e-4, atol=1e-6
        )
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert list(first) == list(second)
    for name in first:
        # Adam divides by the gradient's own size, so where that is rounding alone, so is the step.
        np.testing.assert_allclose(second[name], first[name], rtol=1e-3, atol=1e-3, err_msg=name)
        if first[name].ndim > 1:
            away = np.linalg.norm(second[name] - first[name]) / np.linalg.norm(first[name])
            assert away < 1e-4, name


def test_systems_that_are_measured_at_once_give_the_same_results(semveil, tmp_path):
    for name, options in (("alone", ()), ("at-once", ("--workers", 2))):
        words = ("run", "quickstart", *SMALL, *options, "--quiet", "--out", tmp_path / name)
        result = succeed(semveil(*words))
        assert result.err == ""
        assert scraps(tmp_path / name) == []
    assert len(rows(tmp_path / "alone" / "records.jsonl")) > 20
    same_results(tmp_path / "alone", tmp_path / "at-once")


def listening(pid: int) -> list[str]:
    """Return the addresses, in hexadecimal, at which a process accepts connections."""
    sockets = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            sockets.add(os.readlink(handle).removeprefix("socket:[").removesuffix("]"))
    lines = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]
    ]
    return [line[1].partition(":")[0] for line in lines if line[3] == "0A" and line[9] in sockets]


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *descendants(child))]


@pytest.mark.slow
def test_processes_listen_to_this_machine_alone_and_end_with_the_first(semveil, tmp_path):
    words = ("train", "quickstart", *settings("train.epochs=400"), "--devices", "2", "--quiet")
    command = semveil.start(*words, "--out", "run", folder=tmp_path, before=SAVE_ALWAYS)
    addresses: list[str] = []

    def connected() -> bool:
        assert command.poll() is None
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            addresses[:] = [at for pid in descendants(command.pid) for at in listening(pid)]
        return len(addresses) >= 2

    eventually(connected, "both processes listen")
    eventually(lambda: any((tmp_path / "run").glob("*.checkpoint.*")), "they train")
    connected()
    # 127.0.0.1 in the order of the processor, the last byte first.
    assert {address[-2:] for address in addresses} == {"7F"}
    others = descendants(command.pid)
    command.send(signal.SIGKILL)
    command.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others), "they end too")


@pytest.mark.slow
def test_a_process_that_fails_is_heard_in_one_line(semveil, tmp_path):
    """The checkpoint does not fit: one process says so, the other is waiting for it."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
    folder = tmp_path / "run"
    words = ("train", "quickstart", *SMALL, "--devices", "2", "--out", folder)
    line = refusal(semveil(*words, before=limit))
    name = folder / "multitask.checkpoint.safetensors"
    assert line == f"cannot write {name}: File too large"
    assert os.listdir(folder) == ["run.json"]
