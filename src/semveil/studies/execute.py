"""Running a study: its jobs one after another, then figures and page from their records."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.files import new_folder, write_atomic
from semveil.records import Record, read_records, write_records
from semveil.report.figures.style import save
from semveil.report.select import frame
from semveil.studies.base import BUDGETS, Job, Study
from semveil.train.loop import Progress
from semveil.workflow.provenance import provenance
from semveil.workflow.run import FACTS, RECORDS, Run
from semveil.workflow.training import Hardware

PAGE = "README.md"


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
        which = f"{job.recipe.data.model_dump_json()} {job.seed}"
        if which in loaded:
            run.splits = loaded[which]
        loaded[which] = run.splits
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
) -> list[Record]:
    """Run the jobs of a study that have not finished, then write records, figures and page.

    Args:
        folder: Folder of the study, made by :func:`start`.
        study: The study.
        hardware: Device and number of processes.
        root: Folder of the data sets.
        progress: Told how far it is.

    Returns:
        All records.

    Raises:
        SemveilError: As the jobs' runs; finished jobs stay.
    """
    facts = read_facts(folder)
    jobs = study.jobs(facts["budget"], facts["seed"])
    records: list[Record] = []
    ran: dict[str, dict[str, Any]] = {}
    for number, job in enumerate(jobs, start=1):
        head = f"{number}/{len(jobs)} {job.name}"
        told = partial(_told, progress, head) if progress else None
        run = _run(folder / "jobs" / job.name, study, job, hardware, root)
        if not (run.folder / RECORDS).exists():
            run.audit(run.train(told), told)
        # A job keeps the version that it ran on, also where the study was resumed with another.
        ran[job.name] = {
            key: run.facts[key] for key in ("version", "wall_s", "seed", "schemes", "recipe")
        }
        records += [
            replace(record, scheme=f"{record.scheme} ({job.label})" if job.label else record.scheme)
            for record in read_records(run.folder / RECORDS)
        ]
    write_records(folder / RECORDS, records)
    facts |= {
        "finished": True,
        "wall_s": round(sum(job["wall_s"] for job in ran.values()), 1),
        "jobs": ran,
    } | provenance(hardware.device, hardware.devices)
    write_atomic(folder / FACTS, json.dumps(facts, indent=1) + "\n")
    draw(folder, study)
    return records


def _told(progress: Progress, head: str, stage: str, done: int, total: int) -> None:
    progress(f"{head}: {stage}", done, total)


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


def _run(folder: Path, study: Study, job: Job, hardware: Hardware, root: Path | None) -> Run:
    if (folder / FACTS).exists():
        return Run.open(folder, hardware, root)
    return Run.create(folder, study.name, job.recipe, list(job.schemes), job.seed, hardware, root)
