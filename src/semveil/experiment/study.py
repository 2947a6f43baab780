"""A study's folder: its jobs are run, resumed where interrupted, and their records gathered."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from semveil.data.splits import ImageSplits
from semveil.experiment.jobs import (
    FINISHED,
    Job,
    JobContext,
    Runner,
    check_left,
    images_key,
    is_finished,
    run_settings,
    spent,
    tolerated,
    train_and_audit,
    work_of,
)
from semveil.experiment.provenance import provenance
from semveil.experiment.run import FACTS, RECORDS, Run
from semveil.facts import JobFacts, StudyFacts
from semveil.facts import read_facts as read_facts_of
from semveil.files import new_folder, write_atomic
from semveil.records import Record, read_records, write_records

JOBS = "jobs"
_KEPT = ("version", "hardware", "wall_s", "seed", "schemes", "recipe", "entry")


def check(jobs: Sequence[Job], context: JobContext) -> None:
    """Check everything that can be checked of every job, before anything is written."""
    loaded: dict[str, ImageSplits] = {}
    for job in jobs:
        run = Run(Path(), *run_settings(job, context))
        # Reading the images again for every job would take longer than the checks.
        key = images_key(job)
        if key in loaded:
            run.splits = loaded[key]
        loaded[key] = run.splits
        # Other work checks its own requirements.
        if work_of(job) is train_and_audit:
            run.check()


def start(
    folder: Path,
    study: str,
    budget: str,
    seed: int,
    packages: Mapping[str, str],
    again: bool = False,
) -> None:
    """Make the folder of a study that needs packages; again, only its ``run.json``."""
    facts = {
        "study": study,
        "budget": budget,
        "seed": seed,
        "finished": False,
        "packages": dict(packages),
    }
    text = json.dumps(facts) + "\n"
    if again:
        write_atomic(folder / FACTS, text)
    else:
        new_folder(folder, {FACTS: text})


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts of a study's folder, at least ``study``, ``budget`` and ``seed``."""
    return read_facts_of(folder / FACTS, StudyFacts, f"{folder} holds no study")


def _job_facts(folder: Path) -> dict[str, Any]:
    return read_facts_of(folder / FACTS, JobFacts, f"{folder} holds no job: there is no {FACTS}")


def run(folder: Path, jobs: Sequence[Job], context: JobContext, runner: Runner) -> list[Record]:
    """Run the jobs of a study that have not finished, and write the records of all."""
    run_jobs(folder, jobs, context, runner)
    return gather(folder, jobs, context.hardware.devices)


def run_jobs(folder: Path, jobs: Sequence[Job], context: JobContext, runner: Runner) -> None:
    """Run the jobs of a study that have not finished.

    A job whose folder is damaged, or of another job, fails before anything slow starts.
    """
    place = folder / JOBS
    place.mkdir(exist_ok=True)
    heads = {job.name: f"{at}/{len(jobs)} {job.name}" for at, job in enumerate(jobs, start=1)}
    unfinished, finished = list[Job](), 0
    for job in jobs:
        with tolerated(job, context):
            check_left(place / job.name, job)
            if is_finished(place / job.name):
                finished += 1
            else:
                unfinished.append(job)
    progress = context.progress or (lambda *_: None)

    def on_progress(job: Job, stage: str, done: int, total: int) -> None:
        nonlocal finished
        if stage != FINISHED:
            progress(f"{heads[job.name]}: {stage}", done, total)
            return
        finished += 1
        progress(heads[job.name], 1, 1)
        progress("jobs", finished, len(jobs))

    runner(place, unfinished, context, on_progress)


def gather(
    folder: Path,
    jobs: Sequence[Job],
    devices: int,
    keep: Callable[[list[Record]], list[Record]] = list,
) -> list[Record]:
    """Write the records of a study whose jobs have all finished, and what was run.

    Of the records of all jobs it writes those that ``keep`` returns.
    """
    place = folder / JOBS
    records: list[Record] = []
    # A job keeps the version that it ran on, also where the study was resumed with another.
    ran: dict[str, dict[str, Any]] = {}
    packages = dict(read_facts(folder).get("packages", {}))
    for job in jobs:
        facts = _job_facts(place / job.name)
        kept = {key: facts[key] for key in _KEPT if key in facts}
        ran[job.name] = kept | spent(place / job.name)
        packages |= facts.get("packages", {})
        records += [
            record.with_params(job.params) for record in read_records(place / job.name / RECORDS)
        ]
    records = keep(records)
    write_records(folder / RECORDS, records, short=True)
    facts = read_facts(folder) | {
        "finished": True,
        "wall_s": round(sum(job["wall_s"] for job in ran.values()), 1),
        "jobs": ran,
        "packages": packages,
    }
    facts |= provenance(torch.device("cpu"), devices)
    # The hardware of the jobs counts, which may have run on other machines.
    facts["hardware"] = next(reversed(ran.values()))["hardware"]
    write_atomic(folder / FACTS, json.dumps(facts, indent=1) + "\n")
    return records
