"""Running a study: its jobs, then figures and page from their records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.experiment.provenance import provenance
from semveil.experiment.run import FACTS, RECORDS, Run
from semveil.experiment.training import Hardware
from semveil.files import new_folder, write_atomic
from semveil.records import Record, read_records, write_records
from semveil.report.figures.style import save
from semveil.report.select import frame
from semveil.studies.base import BUDGETS, Job, Study
from semveil.studies.jobs import (
    FINISHED,
    JobContext,
    OneByOne,
    Runner,
    is_finished,
    train_and_audit,
    which_images,
    work_of,
)
from semveil.training.loop import Progress

PAGE = "README.md"
_KEPT = ("version", "hardware", "wall_s", "seed", "schemes", "recipe")


def check(study: Study, budget: str, seed: int, hardware: Hardware, root: Path | None) -> None:
    """Check everything that can be checked of every job, before anything is written.

    Raises:
        SemveilError: As the jobs' runs would, or if the budget is unknown.
    """
    if budget not in BUDGETS:
        raise SemveilError(f"unknown budget '{budget}' (there are: {', '.join(BUDGETS)})")
    loaded: dict[str, ImageSplits] = {}
    for job in study.jobs(budget, seed):
        run = Run(Path(), study.name, job.recipe, list(job.schemes), job.seed, hardware, root)
        # Reading the images again for every job would take longer than the checks.
        which = which_images(job)
        if which in loaded:
            run.splits = loaded[which]
        loaded[which] = run.splits
        # What other work needs besides images it alone knows.
        if work_of(job) is train_and_audit:
            run.check()


def start(folder: Path, study: Study, budget: str, seed: int) -> None:
    """Make the folder of a study.

    Raises:
        SemveilError: If the folder exists.
    """
    new_folder(folder)
    facts = {"study": study.name, "budget": budget, "seed": seed, "finished": False}
    write_atomic(folder / FACTS, json.dumps(facts) + "\n")


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what :func:`start` wrote.

    Raises:
        SemveilError: If the folder holds no study.
    """
    try:
        facts: dict[str, Any] = json.loads((folder / FACTS).read_text())
        facts["study"], facts["budget"], facts["seed"]
    except (OSError, ValueError, KeyError, TypeError):
        raise SemveilError(f"{folder} holds no study") from None
    return facts


def execute(
    folder: Path,
    study: Study,
    hardware: Hardware,
    root: Path | None = None,
    progress: Progress | None = None,
    runner: Runner | None = None,
    shelf: Path | None = None,
) -> list[Record]:
    """Run the jobs of a study that have not finished, then write records, figures and page.

    Args:
        folder: Folder of the study, made by :func:`start`.
        study: The study.
        hardware: Device and number of processes of each job.
        root: Folder of the data sets.
        progress: Told how far it is.
        runner: Where the jobs are done; one after another in this process if None.
        shelf: Folder of trained links that jobs take from and add to.

    Returns:
        All records.

    Raises:
        SemveilError: As the jobs; finished jobs stay.
    """
    facts = read_facts(folder)
    jobs = study.jobs(facts["budget"], facts["seed"])
    progress = progress or _nobody
    heads = {job.name: f"{at}/{len(jobs)} {job.name}" for at, job in enumerate(jobs, start=1)}

    place = folder / "jobs"
    if not place.exists():
        new_folder(place)
    unfinished = [job for job in jobs if not is_finished(place / job.name)]
    finished = len(jobs) - len(unfinished)

    def tell(job: Job, stage: str, done: int, total: int) -> None:
        nonlocal finished
        if stage != FINISHED:
            progress(f"{heads[job.name]}: {stage}", done, total)
            return
        finished += 1
        progress(heads[job.name], 1, 1)
        progress("jobs", finished, len(jobs))

    runner = runner or OneByOne()
    runner(place, unfinished, JobContext(study.name, hardware, root, shelf=shelf), tell)
    records: list[Record] = []
    ran: dict[str, dict[str, Any]] = {}
    for job in jobs:
        did = json.loads((place / job.name / FACTS).read_text())
        # A job keeps the version that it ran on, also where the study was resumed with another.
        ran[job.name] = {key: did[key] for key in _KEPT}
        records += [
            record.with_params(job.params) for record in read_records(place / job.name / RECORDS)
        ]
    write_records(folder / RECORDS, records)
    facts |= {
        "finished": True,
        "wall_s": round(sum(job["wall_s"] for job in ran.values()), 1),
        "jobs": ran,
    } | provenance(torch.device("cpu"), hardware.devices)
    # The jobs' machines count, and this one may have done none of them.
    facts["hardware"] = next(reversed(ran.values()))["hardware"]
    write_atomic(folder / FACTS, json.dumps(facts, indent=1) + "\n")
    draw(folder, study)
    for name, figure in study.pictures(place, jobs).items() if study.pictures else ():
        save(figure, folder / name)
    return records


def _nobody(stage: str, done: int, total: int) -> None:
    pass


def draw(folder: Path, study: Study) -> None:
    """Write figures and page of a study again, from its records alone."""
    table = frame(read_records(folder / RECORDS))
    facts = read_facts(folder)
    for name, figure in study.figures(table).items():
        save(figure, folder / name)
    hardware = facts.get("hardware", {})
    footer = (
        f"\n## What was run\n\n"
        f"`semveil study {study.name} --budget {facts['budget']} --seed {facts['seed']}`, "
        f"{facts.get('wall_s', 0) / 60:.0f} minutes of jobs on {hardware.get('device')} "
        f"with {hardware.get('cores')} cores, semveil {facts.get('version')}, "
        f"torch {facts.get('versions', {}).get('torch')}. Every number above is made from "
        f"[`records.jsonl`](records.jsonl); every setting of every job is in "
        f"[`run.json`](run.json).\n"
    )
    write_atomic(folder / PAGE, study.page(table) + footer)
