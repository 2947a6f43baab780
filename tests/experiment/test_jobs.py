"""Jobs that do other work than training and auditing."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from experiment.small import small_jobs
from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment import study
from semveil.experiment.jobs import Job, JobContext, is_finished, run_job, write_results
from semveil.experiment.pool import Pool
from semveil.experiment.training import Hardware
from semveil.files import write_atomic
from semveil.records import Record, read_records

CONTEXT = JobContext("counting", Hardware(torch.device("cpu")))


def count_test_images(folder: Path, job: Job, context: JobContext) -> None:
    """Count, with the seed added so that jobs differ."""
    started = time.monotonic()
    found = Record(
        study=context.study,
        scheme=job.schemes[0],
        dataset=job.recipe.data.name,
        channel="none",
        role="system",
        metric="images",
        value=360.0 + job.seed,
        n=360,
        seed=job.seed,
    )
    write_results(folder, job, context, [found], started)


def leave_nothing(folder: Path, job: Job, context: JobContext) -> None:
    """Forget the result."""


def counting(name: str, seed: int, work: str = f"{__name__}:count_test_images") -> Job:
    return Job(name, recipes.load("quickstart"), ("multitask",), seed, {"seed": seed}, work)


def test_records_of_other_work_are_gathered(tmp_path: Path) -> None:
    jobs = [counting("one", 1), counting("two", 2)]
    study.check(jobs, CONTEXT)
    study.start(tmp_path / "study", "counting", "smoke", 0, {})
    records = study.run(tmp_path / "study", jobs, CONTEXT, Pool())
    assert [(r.system.label, r.value) for r in records] == [
        ("multitask (seed = 1)", 361.0),
        ("multitask (seed = 2)", 362.0),
    ]
    written = tmp_path / "study" / "records.jsonl"
    assert read_records(written) == records
    # Fields that do not apply are left out, but for those that mark the format.
    plain = [json.loads(line) for line in written.read_text().splitlines()]
    assert {key for line in plain for key in line if line[key] is None} == {"variant"}
    about = json.loads((tmp_path / "study" / "run.json").read_text())
    assert list(about["jobs"]) == ["one", "two"]
    assert about["jobs"]["two"]["seed"] == 2


def test_finished_jobs_are_not_done_again(tmp_path: Path) -> None:
    study.start(tmp_path / "study", "counting", "smoke", 0, {})
    jobs = tmp_path / "study" / "jobs"
    jobs.mkdir()
    run_job(jobs / "one", counting("one", 1), CONTEXT)
    before = (jobs / "one" / "run.json").stat().st_mtime_ns
    # Facts without records are what an interruption leaves.
    run_job(jobs / "two", counting("two", 2), CONTEXT)
    (jobs / "two" / "records.jsonl").unlink()
    assert not is_finished(jobs / "two")
    both = [counting("one", 1), counting("two", 2)]
    study.run(tmp_path / "study", both, CONTEXT, Pool())
    assert (jobs / "one" / "run.json").stat().st_mtime_ns == before
    assert is_finished(jobs / "two")


def test_facts_that_do_not_say_finished_are_unfinished(tmp_path: Path) -> None:
    run_job(tmp_path / "one", counting("one", 1), CONTEXT)
    facts = json.loads((tmp_path / "one" / "run.json").read_text())
    assert is_finished(tmp_path / "one")
    write_atomic(tmp_path / "one" / "run.json", json.dumps(facts | {"finished": False}))
    assert not is_finished(tmp_path / "one")


def test_links_that_are_damaged_do_not_get_into_a_job(tmp_path: Path) -> None:
    (job,), links = small_jobs(1), tmp_path / "links"
    context = replace(CONTEXT, links=links)
    run_job(tmp_path / "first", job, context)
    (kept,) = links.glob("*.safetensors")
    sound, told = kept.read_bytes(), kept.with_suffix(".json").read_bytes()
    weights = bytearray(sound)
    weights[-1] ^= 1
    for path, content in ((kept, bytes(weights)), (kept, b""), (kept.with_suffix(".json"), b"{")):
        path.write_bytes(content)
        with pytest.raises(SemveilError, match=f"{path} is .*damaged"):
            run_job(tmp_path / "second", job, context)
        assert not (tmp_path / "second" / "model.safetensors").exists()
        kept.write_bytes(sound)
        kept.with_suffix(".json").write_bytes(told)
    # Once they are sound again, the job goes on.
    run_job(tmp_path / "second", job, context)
    records = [(tmp_path / name / "records.jsonl").read_bytes() for name in ("first", "second")]
    assert records[0] == records[1]


def test_a_file_for_a_folder_of_links_is_refused_before_training(tmp_path: Path) -> None:
    (job,), told = small_jobs(1), list[str]()
    (tmp_path / "links").touch()
    context = replace(CONTEXT, progress=lambda stage, *_: told.append(stage))
    with pytest.raises(SemveilError, match=r"links: .* is no folder"):
        run_job(tmp_path / "job", job, replace(context, links=tmp_path / "links"))
    assert told == []


def test_work_that_leaves_nothing_is_a_mistake(tmp_path: Path) -> None:
    job = counting("one", 1, f"{__name__}:leave_nothing")
    with pytest.raises(ValueError, match="left no finished"):
        run_job(tmp_path / "one", job, CONTEXT)


def test_work_that_is_not_there_is_a_mistake_before_anything_is_written(tmp_path: Path) -> None:
    job = replace(counting("one", 1), work=f"{__name__}:nothing")
    with pytest.raises(ValueError, match=r"job one: there is no function .*:nothing"):
        study.check([job], CONTEXT)
    assert list(tmp_path.iterdir()) == []
