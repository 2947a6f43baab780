"""A study of jobs that take a second each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from commands import SMALL
from semveil import recipe as recipes
from semveil.experiment.training import Hardware
from semveil.records import Record
from semveil.studies import execute
from semveil.studies.base import Job, Study
from semveil.studies.jobs import OneByOne, Runner

CPU = Hardware(torch.device("cpu"))
QUICK = [change.removeprefix("--set=") for change in SMALL]


def small_study(jobs: int, changes: Iterable[tuple[int, str]] = ()) -> Study:
    """Return a study of several seeds; ``changes`` are (number of the job, setting)."""
    changed = dict(changes)
    made = [
        Job(
            f"seed-{n}",
            recipes.load("quickstart", [*QUICK, *([changed[n]] if n in changed else [])]),
            ("multitask",),
            seed=n,
            params={"seed": n},
        )
        for n in range(jobs)
    ]
    return Study("small", "", lambda *_: list(made), lambda _: {}, lambda _: "# Small\n")


def run_study(
    folder: Path, study: Study, runner: Runner | None = None, told: list[str] | None = None
) -> list[Record]:
    """Start a study, or go on with it, on one thread per job."""
    if not folder.exists():
        execute.start(folder, study, "smoke", 0)

    def progress(stage: str, done: int, total: int) -> None:
        if told is not None:
            told.append(f"{stage} {done}/{total}")

    return execute.execute(folder, study, CPU, None, progress, runner or OneByOne(cores=1))


def same_studies(one: Path, other: Path, study: Study) -> None:
    """Check that two studies ended at the same records, and the same files of every job."""
    assert (one / "records.jsonl").read_bytes() == (other / "records.jsonl").read_bytes()
    for job in study.jobs("smoke", 0):
        for name in ("records.jsonl", "history.jsonl", "samples.npz"):
            first, second = ((folder / "jobs" / job.name / name) for folder in (one, other))
            assert first.read_bytes() == second.read_bytes(), (job.name, name)
