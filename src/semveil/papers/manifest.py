"""The manifest of a reproduction: of every job whether it is done, how long it took, what did it.

``semveil reproduce`` writes it; :func:`check` refuses results that must not be committed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sized
from pathlib import Path
from typing import Any, Literal

from semveil.errors import SemveilError
from semveil.experiment.jobs import Job, OtherWorkError, check_left, digest, is_finished, spent
from semveil.experiment.run import FACTS, RECORDS
from semveil.facts import (
    About,
    CodeFacts,
    Facts,
    Seconds,
    Seed,
    StudyFacts,
    check_facts,
    read_facts,
)
from semveil.files import write_atomic
from semveil.papers.execute import PAGE

MANIFEST = "manifest.json"


class JobState(Facts):
    """What became of a job.

    Attributes:
        state: ``done``, ``failed`` (with ``error``) or ``left``, perhaps begun.
        error: The last attempt's error, one line.
        wall_s: Seconds that it took so far.
        cpu_s: Seconds of the processor.
        code: Commits that did a part of it or trained its links, and whether they were dirty.
        versions: Versions of Python and the libraries.
        hardware: What it ran on.
        records: SHA-256 of its records; None if it is not done, or an older version did it.
    """

    state: Literal["done", "failed", "left"] = "left"
    error: str | None = None
    wall_s: Seconds = 0.0
    cpu_s: Seconds = 0.0
    code: list[CodeFacts] = []
    versions: dict[str, str] = {}
    hardware: dict[str, str | int | float | None] = {}
    records: str | None = None


class StudyState(Facts):
    """What became of the jobs of a study.

    Attributes:
        jobs: By name, in the study's order.
        records: SHA-256 of ``records.jsonl``; None until its page is written.
        error: Why its folder could not be used or its page not be written, one line.
    """

    jobs: dict[str, JobState] = {}
    records: str | None = None
    error: str | None = None

    def done(self) -> bool:
        """Return whether all jobs are done."""
        return all(job.state == "done" for job in self.jobs.values())

    def recorded(self) -> dict[str, str | None]:
        """Return the SHA-256 of every job's records, where it is stated."""
        return {name: job.records for name, job in self.jobs.items()}


class Manifest(Facts):
    """What ``manifest.json`` states.

    Attributes:
        budget: Of all studies.
        seed: Of all studies.
        studies: By name, the most important first.
    """

    budget: str
    seed: Seed
    studies: dict[str, StudyState]

    def jobs(self) -> Iterator[tuple[str, JobState]]:
        """Yield every job, as ``STUDY/JOB``."""
        for study, found in self.studies.items():
            for name, job in found.jobs.items():
                yield f"{study}/{name}", job

    def failures(self) -> dict[str, str]:
        """Return the errors of jobs that failed, and of studies that failed."""
        found = {name: job.error or "" for name, job in self.jobs() if job.state == "failed"}
        pages = {name: study.error for name, study in self.studies.items() if study.error}
        return found | pages

    def write(self, folder: Path) -> None:
        """Write ``manifest.json``."""
        write_atomic(folder / MANIFEST, self.text())

    def text(self) -> str:
        """Return the content of ``manifest.json``."""
        return json.dumps(self.model_dump(), indent=1) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder."""
    path = folder / MANIFEST
    missing = f"{folder} holds no reproduction: there is no {MANIFEST} in it"
    return check_facts(read_facts(path, Manifest, missing), Manifest, path)


def state_of(folder: Path, job: Job, error: str | None) -> JobState:
    """Return what became of a job, by its folder and the error of its last attempt.

    Raises:
        OtherWorkError: If the folder is another job's. A job whose folder is damaged has failed.
    """
    try:
        check_left(folder, job)
    except OtherWorkError:
        raise
    except SemveilError as damage:
        return JobState(state="failed", error=" ".join(str(damage).split()))
    done = is_finished(folder)
    stated: dict[str, Any] = {}
    if (folder / FACTS).exists():
        facts = read_facts(folder / FACTS, About, "")
        stated = {key: facts[key] for key in ("versions", "hardware") if key in facts}
    return JobState(
        state="done" if done else "left" if error is None else "failed",
        error=None if done else error,
        **stated,
        **spent(folder),
    )


def study_facts(path: Path, manifest: Manifest, name: str) -> dict[str, Any]:
    """Return the ``run.json`` of a study, which must be as the manifest states it.

    Raises:
        OtherWorkError: If it is of another study, budget or seed.
        SemveilError: If it is missing or damaged.
    """
    facts = read_facts(path, StudyFacts, f"the study has not begun: there is no {path}")
    own = (facts["study"], facts["budget"], facts["seed"])
    if own != (name, manifest.budget, manifest.seed):
        raise OtherWorkError(f"{path}: study, budget or seed are not those of {MANIFEST}")
    return facts


def recorded(facts: dict[str, Any]) -> dict[str, str | None]:
    """Return the SHA-256 of every job's records, where the ``run.json`` of a study states it."""
    return {name: job.get("records") for name, job in facts.get("jobs", {}).items()}


def check(folder: Path) -> Manifest:
    """Check that the results of a folder may be committed.

    They may if every job of the manifest is done, all by one commit of a checkout that was not
    dirty, the links that were taken from a folder of links included; if records, budget, seed and
    jobs are those of the manifest; and if every study has its page, and there is none besides.

    Raises:
        SemveilError: If they may not, with the first reason.
    """
    manifest = read_manifest(folder)
    empty = [name for name, study in manifest.studies.items() if not study.jobs]
    if empty or not manifest.studies:
        raise SemveilError(f"{folder / MANIFEST}: {empty[0] if empty else 'studies'}: no jobs")
    if failures := manifest.failures():
        name, error = next(iter(failures.items()))
        raise _refused(folder, f"{name} failed: {error}", failures)
    if left := [name for name, job in manifest.jobs() if job.state == "left"]:
        raise _refused(folder, f"{left[0]} is not done", left)
    dirty = [name for name, job in manifest.jobs() if any(state.dirty for state in job.code)]
    if dirty:
        raise _refused(folder, f"{dirty[0]} ran from a dirty checkout", dirty)
    commits = Counter(
        commit
        for _, job in manifest.jobs()
        for commit in {state.commit or "unknown" for state in job.code} or {"unknown"}
    )
    if "unknown" in commits:
        raise SemveilError(f"{folder}: results of an unknown commit (jobs: {commits['unknown']})")
    if len(commits) > 1:
        parts = [f"{commit[:7]} (jobs: {jobs})" for commit, jobs in sorted(commits.items())]
        raise SemveilError(f"{folder}: results of {len(commits)} commits: {', '.join(parts)}")
    for name, study in manifest.studies.items():
        if study.records != digest(folder / name):
            raise SemveilError(f"{folder / name / RECORDS} is not what {MANIFEST} names")
        facts = study_facts(folder / name / FACTS, manifest, name)
        if recorded(facts) != study.recorded():
            raise SemveilError(f"{folder / name / FACTS}: jobs are not those of {MANIFEST}")
        if not (folder / name / PAGE).exists():
            raise SemveilError(f"{folder / name / PAGE}: there is no page of the records")
    others = {path.parent.name for path in folder.glob(f"*/{FACTS}")} - manifest.studies.keys()
    if others:
        raise _refused(folder, f"{min(others)} is not in {MANIFEST}", others)
    return manifest


def _refused(folder: Path, reason: str, among: Sized) -> SemveilError:
    more = f" (and {len(among) - 1} more)" if len(among) > 1 else ""
    return SemveilError(f"{folder}: {reason}{more}")
