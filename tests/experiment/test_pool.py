"""A study in several processes of one machine."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from commands import eventually, refusal, scraps, succeed
from experiment.small import CPU, run_jobs, same_results, small_jobs
from semveil.errors import SemveilError
from semveil.experiment.jobs import JobContext, begin
from semveil.experiment.pool import Pool, visible_gpus

WORDS = ("study", "minmax-settings", "--budget", "smoke", "--cores-per-job", "1", "--quiet")
GO_ON = "semveil: interrupted; go on with: semveil study --resume"


def processes_of(command: int) -> list[int]:
    """Return the workers that a command has started: children of its server of processes."""
    parents = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and b"forkserver" in (entry / "cmdline").read_bytes():
                state = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(state[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [pid for pid, parent in parents.items() if parents.get(parent) == command]


@pytest.mark.slow
def test_interrupted_in_processes_and_finished_in_one(semveil, tmp_path: Path) -> None:
    """Whoever does the jobs, and however often they were broken off: the same records."""
    succeed(semveil(*WORDS, "--out", "straight", folder=tmp_path))
    folder = tmp_path / "study"
    command = semveil.start(*WORDS, "--workers", "2", "--out", "study", folder=tmp_path)
    eventually(lambda: len(list(folder.glob("jobs/*/run.json"))) == 2, "both jobs have begun")
    workers = processes_of(command.pid)
    assert len(workers) == 2
    command.send(signal.SIGINT)
    result = command.wait()
    assert result.code == 130
    assert result.err == f"{GO_ON} study --workers 2 --cores-per-job 1\n"
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert not (folder / "records.jsonl").exists()

    go_on = ("study", "--resume", "study", "--cores-per-job", "1", "--quiet")
    succeed(semveil(*go_on, folder=tmp_path))
    straight = (tmp_path / "straight" / "records.jsonl").read_bytes()
    assert (folder / "records.jsonl").read_bytes() == straight
    assert scraps(folder) == []


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary files with a short name: the paths of sockets have 107 characters."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def in_processes(
    semveil, tmp_path: Path, scratch: Path, number: signal.Signals
) -> tuple[list[int], int, str]:
    """End a study in two processes; return these, its exit status and what it said."""
    command = semveil.start(
        *(*WORDS, "--workers", "2", "--out", number.name),
        folder=tmp_path,
        before=f"import tempfile; tempfile.tempdir = {str(scratch)!r}",
    )
    begun = tmp_path / number.name
    eventually(lambda: len(list(begun.glob("jobs/*/run.json"))) == 2, "both jobs have begun")
    assert list(scratch.glob("semveil-*/0/frame"))
    workers = processes_of(command.pid)
    assert len(workers) == 2
    command.send(number)
    result = command.wait()
    return workers, result.code, result.err


@pytest.mark.slow
def test_ended_by_a_signal_no_process_and_no_image_is_left(
    semveil, tmp_path: Path, scratch: Path
) -> None:
    workers, code, _ = in_processes(semveil, tmp_path, scratch, signal.SIGKILL)
    assert code == -signal.SIGKILL
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "they end")
    (left,) = scratch.glob("semveil-*")
    workers, code, said = in_processes(semveil, tmp_path, scratch, signal.SIGTERM)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert code == 128 + signal.SIGTERM
    assert said == f"{GO_ON} SIGTERM --workers 2 --cores-per-job 1\n"
    # Its own, and those of the one that could not clean up.
    assert not left.exists()
    assert not list(scratch.glob("semveil-*"))


@pytest.mark.slow
def test_a_process_is_killed_and_its_job_goes_on_later(semveil, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    words = (*WORDS, "--workers", "1", "--out", "study")
    command = semveil.start(*words, folder=tmp_path)
    # Names with a point are of folders that are being made.
    begun = "jobs/[!.]*"
    eventually(lambda: len(list(folder.glob(f"{begun}/run.json"))) == 2, "the second has begun")
    first, second = sorted(folder.glob(begun), key=lambda job: job.name != "multitask")
    (worker,) = processes_of(command.pid)
    os.kill(worker, signal.SIGKILL)
    line = refusal(command.wait())
    assert line.startswith(
        f"job {second.name}: its process was killed, perhaps because memory is short"
    )
    kept = (first / "records.jsonl").stat().st_mtime_ns

    succeed(semveil("study", "--resume", "study", "--quiet", folder=tmp_path))
    assert (first / "records.jsonl").stat().st_mtime_ns == kept
    about = json.loads((folder / "run.json").read_text())
    assert about["finished"] is True
    assert about["jobs"][second.name]["hardware"]["threads"] == 1


@pytest.mark.slow
def test_a_job_that_cannot_be_done_says_why_and_the_others_are_kept(tmp_path: Path) -> None:
    jobs = small_jobs(2, [(1, "train.batch=400")])
    with pytest.raises(SemveilError, match=r"train\.batch: 400 images a step, but digits has only"):
        run_jobs(tmp_path / "study", jobs, Pool(1, cores=1))
    assert (tmp_path / "study" / "jobs" / "seed-0" / "records.jsonl").exists()
    told: list[str] = []
    mended = small_jobs(2)
    run_jobs(tmp_path / "study", mended, told=told)
    assert not any(line.startswith("1/2") for line in told)
    assert told[-2:] == ["2/2 seed-1 1/1", "jobs 2/2"]
    run_jobs(tmp_path / "serial", mended)
    same_results(tmp_path / "study", tmp_path / "serial", mended)


def test_a_job_that_was_begun_with_another_seed_does_not_go_on(tmp_path: Path) -> None:
    (job,) = small_jobs(1)
    context = JobContext("small", CPU)
    begin(tmp_path / "seed-0", job, context)
    for other, key in (
        (replace(job, seed=1), "seed"),
        (small_jobs(1, [(0, "train.batch=32")])[0], r"train\.batch"),
    ):
        with pytest.raises(SemveilError, match=rf"run\.json: {key} is not that of job seed-0; "):
            begin(tmp_path / "seed-0", other, context)


def test_a_mistake_in_the_work_shows_its_place(tmp_path: Path) -> None:
    # A function, but one that takes no job.
    jobs = [replace(job, work="json:dumps") for job in small_jobs(1)]
    with pytest.raises(RuntimeError, match=r"(?s)job seed-0 failed in its process:.*TypeError"):
        run_jobs(tmp_path / "study", jobs, Pool(1, cores=1))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--workers", "2", "--ray", "auto"], "workers are processes of this machine, ray is"),
        (["--gpus-per-job", "1"], "gpus_per_job shares GPUs out to workers or ray"),
        (["--workers", "2", "--gpus-per-job", "1", "--device", "cpu"], "device cpu: its jobs"),
    ],
)
def test_options_that_contradict_each_other(semveil, tmp_path: Path, words, reason) -> None:
    line = refusal(semveil("study", "minmax-settings", *words, folder=tmp_path))
    assert line.startswith(reason)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("share", "gpus", "dealt"),
    [
        (1, 3, ["0", "1", "2"]),
        (2, 4, ["0,1", "2,3"]),
        (0.4, 2, ["0", "0", "1", "1"]),
        (0.1, 1, ["0"] * 10),
    ],
)
def test_gpus_are_dealt_out(share: float, gpus: int, dealt: list[str]) -> None:
    names = [str(number) for number in range(gpus)]
    assert [visible_gpus(number, share, names) for number in range(len(dealt))] == dealt
    with pytest.raises(SemveilError, match=f"{len(dealt) + 1} workers with {share:g} GPUs each"):
        visible_gpus(len(dealt), share, names)


def test_one_and_a_half_gpus_are_none() -> None:
    with pytest.raises(SemveilError, match="a whole number, or a part of one GPU"):
        visible_gpus(0, 1.5, ["0", "1", "2"])
