"""Running a paper's jobs, then drawing figures and page from their records."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.experiment import study as folders
from semveil.experiment.choices import versions
from semveil.experiment.jobs import Job, JobContext, Runner
from semveil.experiment.pool import Pool
from semveil.experiment.run import RECORDS
from semveil.experiment.study import read_facts
from semveil.experiment.training import Hardware
from semveil.files import write_atomic
from semveil.papers.jobs import BUDGETS
from semveil.papers.paper import Paper
from semveil.records import Record, read_records
from semveil.registry import origin
from semveil.report.figures.style import save
from semveil.report.select import frame
from semveil.schemes import SCHEMES
from semveil.schemes.parts import OverOfdm
from semveil.training.loop import Progress

PAGE = "README.md"
HEADING = "## What was run"


def check(paper: Paper, budget: str, seed: int, hardware: Hardware, root: Path | None) -> None:
    """Check everything that can be checked of every job, before anything is written."""
    check_budget(budget)
    folders.check(paper.jobs(budget, seed), JobContext(paper.name, hardware, root))


def check_budget(budget: str) -> None:
    """Refuse a budget that no study has."""
    if budget not in BUDGETS:
        raise SemveilError(f"unknown budget '{budget}' (there are: {', '.join(BUDGETS)})")


def start(folder: Path, paper: Paper, budget: str, seed: int, again: bool = False) -> None:
    """Make the folder of a study; again, only its ``run.json``."""
    packages = versions([origin(type(paper))])
    folders.start(folder, paper.name, budget, seed, packages, again)


def execute(
    folder: Path,
    paper: Paper,
    hardware: Hardware,
    root: Path | None = None,
    progress: Progress | None = None,
    runner: Runner | None = None,
    links: Path | None = None,
) -> list[Record]:
    """Run the jobs of a study that have not finished, then write records, figures and page."""
    facts = read_facts(folder)
    jobs = paper.jobs(facts["budget"], facts["seed"])
    context = JobContext(paper.name, hardware, root, progress=progress, links=links)
    folders.run_jobs(folder, jobs, context, runner or Pool())
    return finish(folder, paper, jobs, hardware)


def finish(folder: Path, paper: Paper, jobs: Sequence[Job], hardware: Hardware) -> list[Record]:
    """Gather the records of a study whose jobs have finished, and write figures and page."""
    budget = read_facts(folder)["budget"]
    keep = partial(paper.kept, budget=budget)
    records = folders.gather(folder, jobs, hardware.devices, keep)
    draw(folder, paper)
    for name, picture in paper.pictures(folder / folders.JOBS, jobs).items():
        save(picture, folder / name)
    return records


def draw(folder: Path, paper: Paper) -> None:
    """Write figures and page of a study again, from its records alone."""
    table = frame(read_records(folder / RECORDS))
    facts = read_facts(folder)
    page = paper.render(table)
    for name, drawing in page.figures.items():
        save(drawing(), folder / name)
    write_atomic(folder / PAGE, page.text + footer(paper.name, facts))


def footer(study: str, facts: dict[str, Any]) -> str:
    """State by what command, on which machines and by which versions a page's jobs ran."""
    jobs = [job for job in facts.get("jobs", {}).values() if "version" in job]
    ran = sorted({job["version"] for job in jobs})
    # A job that was interrupted may have gone on with a later version.
    code = [part["commit"] for job in jobs for part in job.get("code", ())]
    parts = sorted({commit[:7] for commit in code if commit})
    earlier = [part for part in parts if not any(part in version for version in ran)]
    before = f" (parts of jobs by {', '.join(earlier)})" if earlier else ""
    machines = sorted({_machine(job["hardware"]) for job in jobs})
    return (
        f"\n{HEADING}\n\n"
        f"`semveil study {study} --budget {facts['budget']} --seed {facts['seed']}`, "
        f"{facts.get('wall_s', 0) / 60:.0f} minutes of jobs on {' and '.join(machines)}, "
        f"semveil {', '.join(ran)}{before}, "
        f"torch {facts.get('versions', {}).get('torch')}. Every number above is made from "
        f"[`records.jsonl`](records.jsonl); every setting of every job is in "
        f"[`run.json`](run.json).{_widths(jobs)}\n"
    )


def _widths(jobs: Sequence[dict[str, Any]]) -> str:
    """State the widths of links over OFDM, whose published one few jobs can afford."""
    recipes = [job["recipe"] for job in jobs if "recipe" in job]
    links = [(each, SCHEMES.get(each["scheme"])) for each in recipes]
    widths = {
        (each["data"]["name"], each["link"]["width"], scheme.published_width)
        for each, scheme in links
        if issubclass(scheme, OverOfdm)
    }
    if not widths:
        return ""
    told = ", ".join(f"{width} ({images})" for images, width, _ in sorted(widths))
    (published,) = {each[2] for each in widths}
    return f" Width (`link.width`) of the links over OFDM: {told}; as published: {published}."


def _machine(hardware: dict[str, Any]) -> str:
    """The hardware of a job in words, with the precision of its training where that is stated."""
    words = f"{hardware.get('device')} with {hardware.get('cores')} cores"
    return words + (f" ({hardware['precision']})" if "precision" in hardware else "")
