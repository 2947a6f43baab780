"""Jobs that do other work than training and auditing."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from semveil import recipe as recipes
from semveil.experiment.training import Hardware
from semveil.files import write_atomic
from semveil.records import Record, read_records
from semveil.studies import execute
from semveil.studies.base import Job, Study
from semveil.studies.jobs import JobContext, is_finished, run_job, write_results

CPU = Hardware(torch.device("cpu"))


def count_test_images(folder: Path, job: Job, means: JobContext) -> None:
    """Count, with the seed added so that jobs differ."""
    started = time.monotonic()
    found = Record(
        study=means.study,
        scheme=job.schemes[0],
        dataset=job.recipe.data.name,
        channel="none",
        role="system",
        metric="images",
        value=360.0 + job.seed,
        n=360,
        seed=job.seed,
    )
    write_results(folder, job, means, [found], started)


def leave_nothing(folder: Path, job: Job, means: JobContext) -> None:
    """Forget the result."""


def counting(name: str, seed: int, work: str = f"{__name__}:count_test_images") -> Job:
    return Job(name, recipes.load("quickstart"), ("multitask",), seed, {"seed": seed}, work)


def study_of(*jobs: Job) -> Study:
    return Study("counting", "", lambda *_: list(jobs), lambda _: {}, lambda _: "# Counting\n")


def test_records_of_other_work_are_gathered(tmp_path: Path) -> None:
    study = study_of(counting("one", 1), counting("two", 2))
    execute.check(study, "smoke", 0, CPU, None)
    execute.start(tmp_path / "study", study, "smoke", 0)
    records = execute.execute(tmp_path / "study", study, CPU)
    assert [(r.system.label, r.value) for r in records] == [
        ("multitask (seed = 1)", 361.0),
        ("multitask (seed = 2)", 362.0),
    ]
    assert read_records(tmp_path / "study" / "records.jsonl") == records
    about = json.loads((tmp_path / "study" / "run.json").read_text())
    assert list(about["jobs"]) == ["one", "two"]
    assert about["jobs"]["two"]["seed"] == 2


def test_finished_jobs_are_not_done_again(tmp_path: Path) -> None:
    study = study_of(counting("one", 1), counting("two", 2))
    execute.start(tmp_path / "study", study, "smoke", 0)
    jobs = tmp_path / "study" / "jobs"
    jobs.mkdir()
    run_job(jobs / "one", counting("one", 1), JobContext("counting", CPU))
    before = (jobs / "one" / "run.json").stat().st_mtime_ns
    # Facts without records are what an interruption leaves.
    run_job(jobs / "two", counting("two", 2), JobContext("counting", CPU))
    (jobs / "two" / "records.jsonl").unlink()
    assert not is_finished(jobs / "two")
    told: list[str] = []
    execute.execute(tmp_path / "study", study, CPU, progress=lambda stage, *_: told.append(stage))
    assert (jobs / "one" / "run.json").stat().st_mtime_ns == before
    assert is_finished(jobs / "two")


def test_facts_that_do_not_say_finished_are_unfinished(tmp_path: Path) -> None:
    run_job(tmp_path / "one", counting("one", 1), JobContext("counting", CPU))
    facts = json.loads((tmp_path / "one" / "run.json").read_text())
    assert is_finished(tmp_path / "one")
    write_atomic(tmp_path / "one" / "run.json", json.dumps(facts | {"finished": False}))
    assert not is_finished(tmp_path / "one")


def test_work_that_leaves_nothing_is_a_mistake(tmp_path: Path) -> None:
    job = counting("one", 1, f"{__name__}:leave_nothing")
    with pytest.raises(ValueError, match="left no finished"):
        run_job(tmp_path / "one", job, JobContext("counting", CPU))


def test_work_that_is_not_there_is_a_mistake_before_anything_is_written(tmp_path: Path) -> None:
    study = study_of(replace(counting("one", 1), work=f"{__name__}:nothing"))
    with pytest.raises(ValueError, match=r"job one: there is no function .*:nothing"):
        execute.check(study, "smoke", 0, CPU, None)
    assert list(tmp_path.iterdir()) == []
