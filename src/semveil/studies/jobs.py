"""Doing one job of a study in its folder, wherever that is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from semveil.data.splits import ImageSplits
from semveil.experiment.checkpoint_cache import train_or_load
from semveil.experiment.provenance import provenance
from semveil.experiment.run import FACTS, RECORDS, Run
from semveil.experiment.training import Hardware
from semveil.files import write_atomic
from semveil.records import Record, to_plain, write_records
from semveil.studies.base import Job
from semveil.training.loop import Progress


@dataclass(frozen=True)
class JobContext:
    """What a job works with.

    Attributes:
        study: Name that its records carry.
        hardware: Device and number of processes.
        root: Folder of the data sets; ``SEMVEIL_DATA`` if None.
        splits: The job's images where they are in memory already, for instance because the
            machine has no data folder; the job reads them itself if None.
        progress: Told how far it is.
        shelf: Folder of trained links that jobs take from and add to; None for none.
    """

    study: str
    hardware: Hardware
    root: Path | None = None
    splits: ImageSplits | None = None
    progress: Progress | None = None
    shelf: Path | None = None


Work = Callable[[Path, Job, JobContext], None]
# Does every job in a folder of its name below the given one; tells (job, stage, done, in all).
OnProgress = Callable[[Job, str, int, int], None]
Runner = Callable[[Path, Sequence[Job], JobContext, OnProgress], None]
# The stage that a runner tells when a job's folder is complete.
FINISHED = "finished"


def run_job(folder: Path, job: Job, means: JobContext) -> None:
    """Do a job's work; afterwards :func:`is_finished` holds for its folder.

    The work leaves two files: ``run.json`` with at least ``version``, ``hardware``, ``wall_s``,
    ``seed``, ``schemes``, ``recipe`` and a true ``finished``, and ``records.jsonl``. It may be
    called again for a folder in which it was interrupted, and ends at the same records then.

    Args:
        folder: The job's folder; its parents exist.
        job: The job.
        means: What it works with.

    Raises:
        SemveilError: As its work.
        ValueError: If its work names no function, or the function leaves no result.
    """
    work_of(job)(folder, job, means)
    if not is_finished(folder):
        raise ValueError(f"{job.work} left no finished {FACTS} and {RECORDS} in {folder}")


def work_of(job: Job) -> Work:
    """Return the function that a job names.

    Raises:
        ValueError: If there is none.
    """
    module, _, name = job.work.partition(":")
    work: Work | None = getattr(import_module(module), name, None)
    if not callable(work):
        raise ValueError(f"job {job.name}: there is no function {job.work}")
    return work


def is_finished(folder: Path) -> bool:
    """Tell whether a job's folder holds all that its work leaves.

    Example:
        >>> is_finished(Path("nowhere"))
        False
    """
    try:
        facts = json.loads((folder / FACTS).read_text())
        return (folder / RECORDS).exists() and bool(facts["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def train_and_audit(folder: Path, job: Job, means: JobContext) -> None:
    """Train the job's links and measure its schemes: the work of most jobs.

    Raises:
        SemveilError: As :class:`semveil.experiment.run.Run`.
    """
    run = begin(folder, job, means)
    run.audit(train_or_load(run, means.shelf, means.progress), means.progress)


def begin(folder: Path, job: Job, means: JobContext) -> Run:
    """Start the run of a job in a folder, or open it where it was started.

    Raises:
        SemveilError: As :class:`semveil.experiment.run.Run`.
    """
    kind = Run if means.splits is None else _with_images(means.splits)
    if (folder / FACTS).exists():
        return kind.open(folder, means.hardware, means.root)
    return kind.create(
        folder, means.study, job.recipe, list(job.schemes), job.seed, means.hardware, means.root
    )


def _with_images(images: ImageSplits) -> type[Run]:
    """Return the kind of run that is handed its images rather than reading them."""

    class Handed(Run):
        splits = images

    return Handed


def write_results(
    folder: Path, job: Job, means: JobContext, records: list[Record], started: float
) -> None:
    """Write what work that is no run leaves: facts, then records.

    Args:
        folder: The job's folder; made if it is not there.
        job: The job.
        means: What it worked with.
        records: What it measured.
        started: ``time.monotonic()`` at its beginning.

    Raises:
        SemveilError: If the files cannot be written.
    """
    facts: dict[str, Any] = {
        "study": means.study,
        "schemes": [to_plain(asked) for asked in job.schemes],
        "seed": job.seed,
        "recipe": job.recipe.model_dump(),
        "wall_s": round(time.monotonic() - started, 1),
        "finished": True,
    } | provenance(means.hardware.device, means.hardware.devices)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / FACTS, json.dumps(facts, indent=1) + "\n")
    write_records(folder / RECORDS, records)


def which_images(job: Job) -> str:
    """Return what the images of a job depend on: jobs with the same answer share them."""
    return f"{job.recipe.data.model_dump_json()} {job.seed}"


def read_images(job: Job, means: JobContext) -> ImageSplits:
    """Read the images of a job, for whoever hands them on.

    Raises:
        SemveilError: If they cannot be had.
    """
    settings = (means.study, job.recipe, list(job.schemes), job.seed, means.hardware, means.root)
    return Run(Path(), *settings).splits


@dataclass(frozen=True)
class OneByOne:
    """Runner in this process.

    Attributes:
        cores: Threads; as many as there are if None.
    """

    cores: int | None = None

    def __call__(
        self, folder: Path, jobs: Sequence[Job], means: JobContext, tell: OnProgress
    ) -> None:
        """Do jobs one after another, each in a folder of its name.

        Raises:
            SemveilError: As a job; those before it stay.
        """
        before = torch.get_num_threads()
        torch.set_num_threads(self.cores or before)
        which, images = "", means.splits
        try:
            for job in jobs:
                # Reading a set of faces takes as long as an epoch: jobs in a row share it.
                if work_of(job) is train_and_audit and which_images(job) != which:
                    which, images = which_images(job), read_images(job, means)
                given = replace(means, splits=images, progress=partial(tell, job))
                run_job(folder / job.name, job, given)
                tell(job, FINISHED, 1, 1)
        finally:
            torch.set_num_threads(before)
