"""A loss that is not finite: one line with the step, status 2, and the last good checkpoint."""

from __future__ import annotations

import pytest

from commands import SAVE_ALWAYS, SMALL, refusal, same_weights
from semveil.training.checkpoint import load_tensors

# From a call on, Bob's losses are NaN; he has one call a step.
SPOIL = """
import semveil.training.minmax as minmax
calls, real = [], minmax.task_losses
def spoilt(*given):
    calls.append(0)
    scale = float("nan") if len(calls) >= {step} else 1.0
    return dict((name, loss * scale) for name, loss in real(*given).items())
minmax.task_losses = spoilt
"""


def spoilt(semveil, folder, step):
    before = SAVE_ALWAYS + SPOIL.format(step=step)
    words = ("run", "quickstart", *SMALL, "--out", folder, "--quiet")
    return refusal(semveil(*words, before=before))


@pytest.mark.parametrize(
    ("call", "stage", "step", "kept"),
    [(33, "multitask", 33, 20), (52, "multitask", 52, 40), (52 + 41, "minmax", 41, 40)],
)
def test_the_last_good_checkpoint_is_kept(semveil, tmp_path, call, stage, step, kept):
    folder = tmp_path / "run"
    checkpoint = folder / f"{stage}.checkpoint.safetensors"
    assert spoilt(semveil, folder, call) == (
        f"{stage}: loss is not finite at step {step} of 52; {checkpoint} keeps the last good state"
    )
    tensors, facts = load_tensors(checkpoint)
    assert facts["step"] == kept
    assert all(tensor.isfinite().all() for tensor in tensors.values())
    assert not (folder / "model.safetensors").exists()
    assert not (folder / "records.jsonl").exists()


def test_without_a_good_checkpoint_none_is_promised(semveil, tmp_path):
    folder = tmp_path / "run"
    line = spoilt(semveil, folder, 1)
    assert line == "multitask: loss is not finite at step 1 of 52"
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_what_was_kept_is_gone_on_from(semveil, tmp_path, finished):
    """A loss that was spoilt by bad luck, not by the settings, is not so the second time."""
    folder = tmp_path / "run"
    spoilt(semveil, folder, 33)
    assert semveil("train", "--resume", folder).code == 0
    same_weights(folder, finished)
