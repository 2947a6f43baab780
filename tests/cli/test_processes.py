"""Training shared by two processes: the same numbers as one, and errors in one line."""

from __future__ import annotations

import os

import numpy as np
import pytest
from safetensors.numpy import load_file

from commands import SMALL, refusal, rows, scraps, settings, succeed


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
