"""Checkpoints that are damaged, somebody else's or of another architecture: one line, status 2."""

from __future__ import annotations

import json
import pickle
import random
import shutil

import numpy as np
import pytest
from safetensors.numpy import load, save

from commands import SAVE_ALWAYS, SMALL, content, refusal


def truncated(content):
    return content[: len(content) // 2]


def shortened(content):
    return content[:-1]


def emptied(content):
    return b""


def foreign(content):
    return save({"weight": np.zeros((3, 3), np.float32)}, {"format": "pt"})


def noise(content):
    return random.Random(0).randbytes(len(content))


def pickled(content):
    return pickle.dumps({"weight": [1.0, 2.0]})


def of_another_architecture(content):
    """Sound, ours, of a version without digests, and every tensor one row too long."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    longer = {
        name: np.concatenate([tensor, tensor[:1]]) if tensor.ndim else tensor
        for name, tensor in load(content).items()
    }
    return save(longer, {key: text for key, text in metadata.items() if key != "digest"})


def flipped(content):
    """One bit of one weight."""
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGES = [flipped, truncated, shortened, emptied, foreign, noise, pickled, of_another_architecture]
REASONS = {
    foreign: "was not written by semveil",
    of_another_architecture: "is of another architecture",
}


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory, semveil):
    """The folder of a run that was killed in its second stage, with checkpoints of both."""
    folder = tmp_path_factory.mktemp("interrupted") / "run"
    die = "import os; real = loop.learning_rate; calls = []\n"
    die += "def rate(*a):\n calls.append(0)\n if len(calls) == 52 + 30: os.kill(os.getpid(), 9)\n"
    die += " return real(*a)\nloop.learning_rate = rate"
    result = semveil("run", "quickstart", *SMALL, "--out", folder, before=f"{SAVE_ALWAYS}\n{die}")
    assert result.code == -9
    assert sorted(path.name for path in folder.glob("*.safetensors")) == [
        "minmax.checkpoint.safetensors",
        "multitask.checkpoint.safetensors",
    ]
    (folder / ".lock").unlink()
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_audit_of_a_run_whose_model_is_damaged(semveil, finished, tmp_path, damage):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "records.jsonl").unlink()
    model = folder / "model.safetensors"
    model.write_bytes(damage(model.read_bytes()))
    before = content(tmp_path)
    line = refusal(semveil("audit", folder, folder=tmp_path))
    assert f"checkpoint {model} " in line
    assert REASONS.get(damage, "is truncated or damaged: ") in line
    assert content(tmp_path) == before


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("stage", ["multitask", "minmax"])
def test_going_on_from_a_damaged_checkpoint(semveil, interrupted, tmp_path, stage, damage):
    folder = shutil.copytree(interrupted, tmp_path / "run")
    checkpoint = folder / f"{stage}.checkpoint.safetensors"
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    before = content(tmp_path)
    line = refusal(semveil("run", "--resume", folder, "--quiet", folder=tmp_path))
    assert f"checkpoint {checkpoint} " in line
    assert REASONS.get(damage, "is truncated or damaged: ") in line
    assert content(tmp_path) == before


def test_a_model_of_another_scheme_is_refused(semveil, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "records.jsonl").unlink()
    facts = json.loads((folder / "run.json").read_text())
    facts["schemes"] = ["multitask"]
    (folder / "run.json").write_text(json.dumps(facts))
    assert "is of another architecture" in refusal(semveil("audit", folder))


def with_facts(folder, **changes):
    """Change the facts of a run, recipe settings by their full keys."""
    facts = json.loads((folder / "run.json").read_text())
    for key, value in changes.items():
        section = facts if key == "seed" else facts["recipe"][key.partition("__")[0]]
        section[key.partition("__")[2] or key] = value
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("change", [{"seed": 1}, {"train__lr": 0.5}, {"bob__snr_db": 3.0}])
def test_weights_of_another_seed_or_of_other_settings_are_refused(
    semveil, finished, interrupted, tmp_path, change
):
    """They would fit, and the numbers would be of something that nobody trained."""
    trained = with_facts(shutil.copytree(finished, tmp_path / "trained"), **change)
    (trained / "records.jsonl").unlink()
    half = with_facts(shutil.copytree(interrupted, tmp_path / "half"), **change)
    before = content(tmp_path)
    assert "is of another training" in refusal(semveil("audit", trained, folder=tmp_path))
    line = refusal(semveil("run", "--resume", half, "--quiet", folder=tmp_path))
    assert f"checkpoint {half / 'multitask.checkpoint.safetensors'} is of another training" in line
    assert content(tmp_path) == before


def test_the_checkpoint_of_another_stage_is_refused(semveil, interrupted, tmp_path):
    folder = shutil.copytree(interrupted, tmp_path / "run")
    other = folder / "multitask.checkpoint.safetensors"
    shutil.copy(folder / "minmax.checkpoint.safetensors", other)
    before = content(folder)
    line = refusal(semveil("run", "--resume", folder, "--quiet"))
    assert f"checkpoint {other} is of another training" in line
    assert content(folder) == before


def test_audit_of_a_run_that_is_not_trained(semveil, interrupted, tmp_path):
    before = content(interrupted)
    line = refusal(semveil("audit", interrupted, folder=tmp_path))
    assert line.endswith("is not trained: finish it with `semveil train --resume`")
    assert content(interrupted) == before


@pytest.mark.parametrize(
    "facts", [b"", b"{", b"[]", b"{}", b'"run"', b"\xff\xfe", b'{"study": "x", "seed": 0}']
)
def test_a_run_whose_facts_are_damaged(semveil, tmp_path, facts):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_bytes(facts)
    for words in (("run", "--resume", "run"), ("train", "--resume", "run"), ("audit", "run")):
        line = refusal(semveil(*words, folder=tmp_path))
        assert line.startswith("run/run.json is damaged: ")
    line = refusal(semveil("study", "--resume", "run", folder=tmp_path))
    assert line.startswith("run/run.json is damaged: ")
    assert content(tmp_path) == {"run/run.json": facts}


def test_a_run_whose_settings_are_not_of_this_version(semveil, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    facts = json.loads((folder / "run.json").read_text())
    facts["recipe"]["train"]["epoch"] = 3
    (folder / "run.json").write_text(json.dumps(facts))
    line = refusal(semveil("audit", folder))
    assert "unknown key 'train.epoch': did you mean 'train.epochs'?" in line


@pytest.mark.parametrize("folder", ["empty", "none", "file"])
def test_a_folder_without_a_run(semveil, tmp_path, folder):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for words in (("run", "--resume", folder), ("train", "--resume", folder), ("audit", folder)):
        line = refusal(semveil(*words, folder=tmp_path))
        assert line == f"{folder} holds no run: there is no run.json in it"
    line = refusal(semveil("study", "--resume", folder, folder=tmp_path))
    assert line == f"{folder} holds no study"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "file"]


@pytest.mark.parametrize(
    "words", [["quickstart"], ["--set=train.epochs=3"], ["--out", "elsewhere"], ["--seed", "0"]]
)
def test_going_on_takes_no_new_settings(semveil, interrupted, tmp_path, words):
    before = content(interrupted)
    line = refusal(semveil("run", *words, "--resume", interrupted, folder=tmp_path))
    assert line == "--resume takes no recipe, --set, --out, --seed or --no-reference"
    assert content(interrupted) == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [truncated, emptied, noise])
def test_a_damaged_part_of_an_audit_is_named(semveil, finished, tmp_path, damage):
    folder = shutil.copytree(finished, tmp_path / "run")
    (folder / "records.jsonl").rename(tmp_path / "records.jsonl")
    (folder / "parts").mkdir()
    shutil.copy(tmp_path / "records.jsonl", folder / "parts" / "multitask.jsonl")
    part = folder / "parts" / "multitask.npz"
    part.write_bytes(damage((folder / "samples.npz").read_bytes()))
    before = content(folder)
    assert f"cannot read samples {part}: " in refusal(semveil("audit", folder))
    assert content(folder) == before


def test_damaged_records_are_named_by_their_line(semveil, finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    records = folder / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    records.write_text("".join([*lines[:4], lines[4][:30]]))
    before = content(folder)
    message = f"{records}, line 5: not a record"
    assert refusal(semveil("report", folder, "--out", tmp_path / "page.html")) == message
    assert refusal(semveil("audit", folder, "--quiet")) == message
    assert content(folder) == before
    assert not (tmp_path / "page.html").exists()
