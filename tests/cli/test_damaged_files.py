"""Files of a run that state something else than they must: one line, before any work."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from commands import NO_PAGE, content, refusal

DEEP = "[" * 200_000 + "]" * 200_000


def nested(depth):
    return json.loads("[" * depth + "]" * depth)


RUN_FACTS = {
    "text for a number": {"seed": "0"},
    "negative": {"seed": -1},
    "huge": {"wall_s": float("inf")},
    "not a number": {"wall_s": float("nan")},
    "text for truth": {"finished": "no"},
    "text for a list": {"schemes": "multitask"},
    "number for a scheme": {"schemes": [5]},
    "number for its name": {"schemes": [{"scheme": 5, "protections": []}]},
    "list for a recipe": {"recipe": []},
    "number for attacks": {"recipe": {"attack": {"names": 5}}},
    "two sides": {"images": {"shape": [1, 8], "classes": ["0"]}},
    "texts for sides": {"images": {"shape": ["1", 8, 8], "classes": ["0"]}},
    "list for hardware": {"hardware": [1]},
    "number for versions": {"versions": 3},
    "a look of two parts": {"styles": {"attack": {"pgd": ["#ffffff", "o"]}}},
    "no colour": {"styles": {"attack": {"pgd": ["unheard of", "o", 1]}}},
    "no marker": {"styles": {"attack": {"pgd": ["#ffffff", "unheard of", 1]}}},
    "half a surrogate": {"study": "\ud800"},
    "nested": {"more": nested(300)},
    "no recipe": {"recipe": None},
}


@pytest.fixture
def folder(finished, tmp_path):
    """A run that is trained and not audited."""
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "records.jsonl").unlink()
    return run


def refused(semveil, folder, *files, words=("audit",)):
    """Check that a command refuses a folder and leaves it as it is; return its line."""
    before = content(folder)
    line = refusal(semveil(*words, folder, folder=folder.parent))
    assert any(str(folder / name) in line for name in files), line
    assert len(line) < 500
    assert content(folder) == before
    return line


@pytest.mark.parametrize("changes", RUN_FACTS.values(), ids=RUN_FACTS)
def test_facts_of_a_run(semveil, folder, finished, changes):
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(facts | changes))
    refused(semveil, folder, "run.json")
    # A report needs less of them; it draws what it can, or says the same.
    shutil.copy(finished / "records.jsonl", folder)
    result = semveil("report", folder, "--out", folder.parent / "page.html")
    assert result.code in (0, 2)
    assert "Traceback" not in result.err


@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "records.jsonl"])
def test_brackets_without_end(semveil, folder, finished, name):
    shutil.copy(finished / "records.jsonl", folder)
    (folder / name).write_text(f"{DEEP}\n{DEEP}\n")
    refused(semveil, folder, name)


@pytest.mark.parametrize(
    "line",
    ['{"step": "20"}', "[1]", '"step"', "{}", '{"step": 20, "total": [1]}',
     '{"step": 20, "total": 1' + "0" * 400 + "}", '{"step": 1.5}'],
)  # fmt: skip
def test_steps_of_a_history(semveil, folder, line):
    (folder / "history.jsonl").write_text(f"{line}\n" * 2)
    assert refused(semveil, folder, "history.jsonl").endswith("line 1: not a step of training")


SAMPLES = {
    "labels of other images": {"labels": np.zeros(7, np.int64)},
    "labels that are texts": {"labels": np.array(["a", "b"])},
    "images without channels": {"originals": np.zeros((2, 8, 8), np.uint8)},
    "images of two channels": {"originals": np.zeros((2, 2, 8, 8), np.uint8)},
    "images of no size": {"originals": np.zeros((2, 1, 0, 8), np.uint8)},
    "images of floats": {"bob/multitask": np.zeros((2, 1, 8, 8))},
    "images of another size": {"bob/multitask": np.zeros((2, 1, 4, 4), np.uint8)},
    "no image of two": {"bob/multitask": np.zeros((0, 1, 8, 8), np.uint8)},
    "objects": {"originals": np.array([{}, {}])},
    "symbols that are not numbers": {"waveform/multitask": np.array([np.nan], np.complex64)},
    "symbols in two directions": {"waveform/multitask": np.zeros((2, 2), np.complex64)},
}


@pytest.mark.parametrize("changes", SAMPLES.values(), ids=SAMPLES)
def test_arrays_of_samples(semveil, folder, finished, changes):
    with np.load(folder / "samples.npz") as kept:
        samples = dict(kept) | changes
    np.savez(folder / "samples.npz", **samples)
    refused(semveil, folder, "samples.npz")
    shutil.copy(finished / "records.jsonl", folder)
    line = refusal(semveil("report", folder, "--out", folder.parent / "page.html"))
    assert str(folder / "samples.npz") in line


def restate(path: Path, **changes: object) -> None:
    """Change what a file of weights states, as a version without digests wrote it."""
    with safe_open(path, "np") as file:
        facts = json.loads(file.metadata()["facts"])
    facts = {key: value for key, value in (facts | changes).items() if value is not None}
    save_file(load_file(path), path, {"format": "semveil-1", "facts": json.dumps(facts)})


@pytest.mark.parametrize(
    "changes", [{"seed": "0"}, {"seed": None}, {"recipe": []}, {"recipe": nested(300)}]
)
def test_facts_of_a_model(semveil, folder, changes):
    restate(folder / "model.safetensors", **changes)
    refused(semveil, folder, "model.safetensors")


@pytest.mark.parametrize("changes", [{}, {"seed": 0}])
def test_a_model_of_a_version_without_digests_is_read(semveil, folder, changes):
    restate(folder / "model.safetensors", **changes)
    assert semveil("train", "--resume", folder).code == 0


@pytest.mark.parametrize(
    "changes",
    [{"name": 5}, {"name": "inference/none"}, {"classes": 10}, {"classes": []}, {"config": []},
     {"config": {"unheard": 1}}, {"learned": []}, {"learned": {"unheard": 1}},
     {"learned": {"calibration": [[10.0, 1.0]]}}],
)  # fmt: skip
def test_facts_of_an_eavesdropper(semveil, finished, folder, changes):
    shutil.copy(finished / "records.jsonl", folder)
    eves = sorted((folder / "eavesdroppers").glob("*.safetensors"))
    assert eves
    for eve in eves:
        restate(eve, **changes)
    Image.new("L", (8, 8)).save(folder.parent / "image.png")
    before = content(folder)
    line = refusal(semveil("send", folder, folder.parent / "image.png"))
    assert any(str(eve) in line for eve in eves) or "unknown eavesdropper" in line
    assert content(folder) == before


@pytest.mark.parametrize(
    "changes", [{"seed": "0"}, {"seed": None}, {"budget": "huge"}, {"budget": 1}, {"study": []}]
)
def test_facts_of_a_study(semveil, tmp_path, changes):
    folder = tmp_path / "study"
    folder.mkdir()
    facts = {"study": "minmax-settings", "budget": "smoke", "seed": 0, "finished": False}
    (folder / "run.json").write_text(json.dumps(facts | changes))
    before = content(tmp_path)
    refusal(semveil("study", "--resume", "study", folder=tmp_path))
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", ["run.json", "records.jsonl"])
def test_a_damaged_job_is_named_before_the_others_work(semveil, finished, tmp_path, name):
    folder = tmp_path / "study"
    job = folder / "jobs" / "clipped-0.3-1-4"
    shutil.copytree(finished, job)
    facts = {"study": "minmax-settings", "budget": "smoke", "seed": 0, "finished": False}
    (folder / "run.json").write_text(json.dumps(facts))
    (job / name).write_text('{"seed": "0"}\n')
    before = content(tmp_path)
    line = refusal(semveil("study", "--resume", "study", folder=tmp_path, before=NO_PAGE))
    assert str(Path("study/jobs/clipped-0.3-1-4", name)) in line
    assert content(tmp_path) == before


@pytest.mark.parametrize("command", ["audit", "attack", "report"])
def test_a_pipe_is_no_file_of_a_run(semveil, tmp_path, command):
    """Reading it would wait without end."""
    for name in ("run.json", "records.jsonl"):
        os.mkfifo(tmp_path / name)
    result = semveil(command, tmp_path)
    assert result.code == 2
    assert "it is not a regular file" in result.err
    assert len(result.err.strip().splitlines()) == 1
