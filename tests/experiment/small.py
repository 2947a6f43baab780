"""Jobs that take a second each, and a study's folder of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from commands import SMALL
from semveil import recipe as recipes
from semveil.experiment import study
from semveil.experiment.jobs import Job, JobContext, Runner
from semveil.experiment.pool import Pool
from semveil.experiment.training import Hardware
from semveil.records import Record

CPU = Hardware(torch.device("cpu"))
QUICK = [change.removeprefix("--set=") for change in SMALL]


def small_jobs(count: int, changes: Iterable[tuple[int, str]] = ()) -> list[Job]:
    """Return jobs of several seeds; ``changes`` are (number of the job, setting)."""
    changed = dict(changes)
    return [
        Job(
            f"seed-{n}",
            recipes.load("quickstart", [*QUICK, *([changed[n]] if n in changed else [])]),
            ("multitask",),
            seed=n,
            params={"seed": n},
        )
        for n in range(count)
    ]


def run_jobs(
    folder: Path, jobs: Sequence[Job], runner: Runner | None = None, told: list[str] | None = None
) -> list[Record]:
    """Start a study of jobs, or go on with it, on one thread per job."""
    if not folder.exists():
        study.start(folder, "small", "smoke", 0, {})

    def progress(stage: str, done: int, total: int) -> None:
        if told is not None:
            told.append(f"{stage} {done}/{total}")

    context = JobContext("small", CPU, progress=progress)
    return study.run(folder, jobs, context, runner or Pool(cores=1))


def same_results(one: Path, other: Path, jobs: Sequence[Job]) -> None:
    """Check that two studies ended at the same records, and the same files of every job."""
    assert (one / "records.jsonl").read_bytes() == (other / "records.jsonl").read_bytes()
    for job in jobs:
        for name in ("records.jsonl", "history.jsonl", "samples.npz"):
            first, second = ((folder / "jobs" / job.name / name) for folder in (one, other))
            assert first.read_bytes() == second.read_bytes(), (job.name, name)
