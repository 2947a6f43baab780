"""Runs that were broken off, by Ctrl-C or worse: they go on and end at the same numbers."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from commands import (
    NO_PAGE,
    SAVE_ALWAYS,
    SMALL,
    content,
    eventually,
    refusal,
    rows,
    same_results,
    scraps,
    succeed,
)
from semveil.training.checkpoint import load_tensors

# Wait for a signal at the n-th call of a function, so that it comes at that place and no other:
# in short sleeps, as a signal that comes just before a sleep begins does not end it.
HOLD = """
import pathlib, time
import {module} as module
calls, real = [], module.{function}
def held(*given, **named):
    calls.append(0)
    if len(calls) == {call}:
        pathlib.Path("held").touch()
        for _ in range(60_000):
            time.sleep(0.01)
    return real(*given, **named)
module.{function} = held
"""
# One call in every step of training, 52 a stage.
STEP = {"module": "semveil.training.loop", "function": "learning_rate"}
# One call in every epoch of a fresh Eve: 4 epochs, 2 Eves, 4 systems.
EPOCH = {"module": "semveil.adversary.eavesdrop.trainer", "function": "generator"}


def interrupt(semveil, folder, words, place, call, number=signal.SIGINT):
    """Run a command in the parent of a run's folder up to some call, and send it a signal there."""
    before = SAVE_ALWAYS + NO_PAGE + HOLD.format(**place, call=call)
    process = semveil.start(*words, folder=folder.parent, before=before)
    flag = folder.parent / "held"
    eventually(lambda: flag.exists() or process.poll() is not None, "it gets there")
    assert flag.exists(), process.wait()
    process.send(number)
    flag.unlink()
    return process.wait()


def begin(folder):
    return ["run", "quickstart", *SMALL, "--quiet", "--out", folder.name]


def go_on(semveil, folder, *words):
    words = words or ("run", "--resume", folder.name)
    result = semveil(*words, "--quiet", folder=folder.parent, before=NO_PAGE)
    assert (result.code, result.out, result.err) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("step", "checkpoints"),
    [
        (7, {}),
        (33, {"multitask": 20}),
        (52 + 47, {"multitask": 52, "minmax": 40}),
    ],
)
def test_ctrl_c_in_training(semveil, finished, tmp_path, step, checkpoints):
    folder = tmp_path / "run"
    result = interrupt(semveil, folder, begin(folder), STEP, step)
    assert result.code == 130
    assert result.out == ""
    assert result.err == "semveil: interrupted; go on with: semveil run --resume run\n"
    left = {
        path.name.partition(".")[0]: load_tensors(path)[1]["step"]
        for path in folder.glob("*.checkpoint.safetensors")
    }
    assert left == checkpoints
    assert not (folder / "model.safetensors").exists()
    go_on(semveil, folder)
    same_results(folder, finished)
    assert scraps(folder) == []


@pytest.mark.parametrize("command", ["run", "audit"])
def test_ctrl_c_in_an_audit(semveil, finished, tmp_path, command):
    folder = tmp_path / "run"
    words = begin(folder)
    if command == "audit":
        folder.mkdir()
        for name in ("model.safetensors", "history.jsonl", "run.json"):
            shutil.copy(finished / name, folder)
        words = ["audit", "--quiet", folder.name]
    result = interrupt(semveil, folder, words, EPOCH, 8 + 5)
    assert result.code == 130
    hint = "run --resume run" if command == "run" else "audit run"
    assert result.err == f"semveil: interrupted; go on with: semveil {hint}\n"
    # The first system is measured; the second was being.
    parts = [path.name for path in sorted((folder / "parts").iterdir())]
    assert parts == ["multitask.jsonl", "multitask.npz"]
    assert not (folder / "records.jsonl").exists()
    kept = (folder / "parts" / "multitask.jsonl").stat().st_mtime_ns
    again = interrupt(semveil, folder, ["audit", "--quiet", folder.name], EPOCH, 8 + 1)
    assert again.code == 130
    assert (folder / "parts" / "multitask.jsonl").stat().st_mtime_ns == kept
    assert (folder / "parts" / "minmax.jsonl").exists()
    go_on(semveil, folder, *hint.split())
    same_results(folder, finished)
    assert scraps(folder) == []


def test_a_termination_is_as_polite_as_ctrl_c(semveil, finished, tmp_path):
    """As a machine that shuts down, or a time limit, asks for it."""
    folder = tmp_path / "run"
    result = interrupt(semveil, folder, begin(folder), STEP, 52 + 47, signal.SIGTERM)
    assert result.code == 128 + signal.SIGTERM
    assert (result.out, result.err) == (
        "",
        "semveil: interrupted; go on with: semveil run --resume run\n",
    )
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    go_on(semveil, folder)
    same_results(folder, finished)


def test_a_termination_before_anything_can_be_resumed(semveil, tmp_path):
    place = {"module": "semveil.experiment.run", "function": "data.load_configured"}
    words = begin(tmp_path / "run")
    result = interrupt(semveil, tmp_path / "run", words, place, 1, signal.SIGTERM)
    assert (result.code, result.out, result.err) == (128 + signal.SIGTERM, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "module", "function", "said"),
    [
        ("zoo", "semveil.zoo.overview", "overview", ""),
        ("zoo verify digits/deepjscc", "semveil.zoo.verify", "verify", ""),
        ("zoo fetch mnist/ibal-d32 --from http://127.0.0.1:9/", "semveil.zoo.fetch", "fetch",
         "go on with: semveil zoo fetch mnist/ibal-d32 --from http://127.0.0.1:9/"),
        ("leaderboard check entry", "semveil.leaderboard.check", "check", ""),
        ("data", "semveil.data", "status", ""),
        ("data fetch mnist --data sets", "semveil.data.fetch", "fetch",
         "go on with: semveil data fetch mnist --data sets"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_commands_of_a_group_end_as_all_others(
    semveil, tmp_path, words, module, function, said, number
):
    place = {"module": module, "function": function}
    result = interrupt(semveil, tmp_path / "run", words.split(), place, 1, number)
    line = f"semveil: interrupted; {said}\n" if said else ""
    assert (result.code, result.out, result.err) == (128 + number, "", line)


def test_two_commands_on_one_folder(semveil, finished, tmp_path):
    """The second says who works there, and touches nothing; a kill lets it in at once."""
    folder = tmp_path / "run"
    before = SAVE_ALWAYS + NO_PAGE + HOLD.format(**STEP, call=52 + 47)
    first = semveil.start(*begin(folder), folder=tmp_path, before=before)
    eventually((tmp_path / "held").exists, "it gets there")
    (folder / ".x.0.part").touch()
    there = content(folder)
    for words in (["run", "--resume", "run"], ["train", "--resume", "run"]):
        line = refusal(semveil(*words, folder=tmp_path))
        start = f"run is in use by process {first.pid} on {os.uname().nodename} since "
        assert line.startswith(start)
        assert line.endswith(": wait until it has finished")
    assert content(folder) == there
    first.send(signal.SIGKILL)
    first.wait()
    go_on(semveil, folder)
    same_results(folder, finished)
    assert scraps(folder) == []


@pytest.mark.parametrize(("call", "begun"), [(1, False), (3, True)])
def test_a_study_is_not_blocked_by_a_kill_while_a_folder_is_made(semveil, tmp_path, call, begun):
    """The first flush is of the study's run.json, the third of its first job's."""
    words = ["study", "minmax-settings", "--budget", "smoke", "--quiet"]
    new = [*words, "--out", "study"]
    place = {"module": "semveil.files", "function": "os.fsync"}
    folder = tmp_path / "study"
    assert interrupt(semveil, folder, new, place, call, signal.SIGKILL).code == -signal.SIGKILL
    assert folder.exists() == begun
    again = ["study", "--resume", "study", "--quiet"] if begun else new
    process = semveil.start(*again, folder=tmp_path)
    first = folder / "jobs" / "multitask" / "run.json"
    eventually(lambda: first.exists() or process.poll() is not None, "its first job has begun")
    process.send(signal.SIGKILL)
    process.wait()
    assert not list(tmp_path.glob(".study*"))
    assert [job.name for job in (folder / "jobs").iterdir()] == ["multitask"]


def test_a_study_is_not_blocked_by_a_job_without_its_facts(semveil, tmp_path):
    """As older versions left one behind."""
    words = ["study", "minmax-settings", "--budget", "smoke", "--quiet", "--out", "study"]
    place = {"module": "semveil.files", "function": "os.fsync"}
    folder = tmp_path / "study"
    interrupt(semveil, folder, words, place, 3, signal.SIGKILL)
    (folder / "jobs" / "multitask").mkdir(exist_ok=True)
    process = semveil.start("study", "--resume", "study", folder=tmp_path)
    first = folder / "jobs" / "multitask" / "run.json"
    eventually(lambda: first.exists() or process.poll() is not None, "its first job has begun")
    process.send(signal.SIGKILL)
    process.wait()


def test_ctrl_c_in_train_says_train(semveil, tmp_path):
    folder = tmp_path / "a run"
    words = ["train", "quickstart", *SMALL, "--out", folder.name]
    result = interrupt(semveil, folder, words, STEP, 5)
    assert result.code == 130
    # Ready to be pasted, though there is a blank in the name.
    assert result.err == "semveil: interrupted; go on with: semveil train --resume 'a run'\n"
    # What it cost so far counts.
    assert "train_cpu_s" in json.loads((folder / "run.json").read_text())


def test_a_kill_in_training(semveil, finished, tmp_path):
    folder = tmp_path / "run"
    result = interrupt(semveil, folder, begin(folder), STEP, 52 + 47, signal.SIGKILL)
    assert result.code == -signal.SIGKILL
    go_on(semveil, folder)
    same_results(folder, finished)
    assert scraps(folder) == []


@pytest.mark.slow
def test_broken_off_again_and_again_at_any_moment(semveil, finished, tmp_path):
    """Half of the time politely; nobody waits for a good moment."""
    folder = tmp_path / "run"
    draw = random.Random(5)
    words = begin(folder)
    ended = []
    for _ in range(10):
        process = semveil.start(*words, folder=tmp_path, before=SAVE_ALWAYS + NO_PAGE)
        words = ["run", "--resume", "run", "--quiet"]
        eventually((folder / "run.json").exists, "the run has begun")
        time.sleep(draw.uniform(0, 0.6))
        number = draw.choice([signal.SIGINT, signal.SIGKILL])
        if process.poll() is None:
            process.send(number)
        result = process.wait()
        assert result.code in (0, 130, -signal.SIGKILL), result
        ended.append(result.code)
        for path in folder.rglob("*.safetensors"):
            load_tensors(path)
        for path in folder.rglob("*.jsonl"):
            rows(path)
    assert any(ended)
    go_on(semveil, folder)
    same_results(folder, finished)
    assert scraps(folder) == []


def test_a_kill_while_the_model_is_written(semveil, finished, tmp_path):
    """Every network is trained; the file that holds them all is not there yet."""
    folder = tmp_path / "run"
    place = {"module": "semveil.files", "function": "os.replace"}
    call = content_writes_before_the_model()
    result = interrupt(semveil, folder, begin(folder), place, call, signal.SIGKILL)
    assert result.code == -signal.SIGKILL
    assert sorted(path.name for path in folder.glob("*.checkpoint.safetensors")) == [
        "minmax.checkpoint.safetensors",
        "multitask.checkpoint.safetensors",
    ]
    (scrap,) = folder.glob(".*.part")
    assert scrap.name.startswith(".model.safetensors.")
    go_on(semveil, folder)
    same_results(folder, finished)
    assert scraps(folder) == []


def content_writes_before_the_model():
    """Return which file is the model: three checkpoints a stage, history, model."""
    return 2 * 3 + 1 + 1


def test_a_run_that_was_not_interrupted_by_its_user_does_not_say_so(semveil, tmp_path):
    folder = tmp_path / "run"
    (tmp_path / "data").mkdir()
    before = content(tmp_path)
    line = refusal(
        semveil("run", "minmax-mnist", "--data", "data", "--out", folder, folder=tmp_path)
    )
    assert "interrupted" not in line
    assert content(tmp_path) == before


def test_ctrl_c_while_everything_is_still_being_loaded(semveil, tmp_path):
    """There is nothing to go on with, and nothing left behind."""
    place = {"module": "semveil.experiment.run", "function": "data.load_configured"}
    result = interrupt(semveil, tmp_path / "run", begin(tmp_path / "run"), place, 1)
    assert result.code == 130
    assert result.out == ""
    assert result.err.strip() == ""
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.slow
def test_a_study_goes_on_with_the_job_that_it_had_begun(semveil, tmp_path):
    folder = tmp_path / "study"
    words = ["study", "minmax-settings", "--budget", "smoke", "--quiet"]
    succeed(semveil(*words, "--out", "straight", folder=tmp_path))
    # Eves of six, three and three epochs in the first job: the thirteenth is of the second.
    result = interrupt(semveil, folder, [*words, "--out", "study"], EPOCH, 14)
    assert result.code == 130
    assert result.err == "semveil: interrupted; go on with: semveil study --resume study\n"
    jobs = sorted((folder / "jobs").iterdir())
    finished_jobs = [job.name for job in jobs if (job / "records.jsonl").exists()]
    assert finished_jobs == ["multitask"]
    assert len(jobs) == 2
    kept = (folder / "jobs" / "multitask" / "records.jsonl").stat().st_mtime_ns
    assert not (folder / "records.jsonl").exists()
    go_on(semveil, folder, "study", "--resume", "study")
    assert (folder / "jobs" / "multitask" / "records.jsonl").stat().st_mtime_ns == kept
    records = (folder / "records.jsonl").read_bytes()
    assert records == (tmp_path / "straight" / "records.jsonl").read_bytes()
    assert scraps(folder) == []
    # Once more is harmless.
    before = content(folder / "jobs")
    go_on(semveil, folder, "study", "--resume", "study")
    assert content(folder / "jobs") == before
    assert (folder / "records.jsonl").read_bytes() == records
