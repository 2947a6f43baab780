"""All jobs of all studies in one folder, the most important first; resumable, limited in time."""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from semveil.data import status
from semveil.errors import SemveilError, in_file
from semveil.experiment import study as folders
from semveil.experiment.jobs import (
    FINISHED,
    Job,
    JobContext,
    OnProgress,
    OtherWorkError,
    Runner,
    digest,
)
from semveil.experiment.run import FACTS
from semveil.experiment.training import Hardware
from semveil.facts import MissingPackageError
from semveil.files import hold, new_folder
from semveil.papers import execute
from semveil.papers.manifest import (
    MANIFEST,
    JobState,
    Manifest,
    StudyState,
    read_manifest,
    recorded,
    state_of,
    study_facts,
)
from semveil.papers.paper import PAPERS, Paper
from semveil.training.loop import Progress
from semveil.zoo.reuse import needed, stock

LINKS = "links"


class TimeIsUp(KeyboardInterrupt):
    """Ends the jobs that run, as Ctrl-C would."""


def in_order(names: Sequence[str]) -> list[Paper]:
    """Return studies, all of them without names, the most important first."""
    papers = [PAPERS.get(name)() for name in dict.fromkeys(names or sorted(PAPERS.names()))]
    return sorted(papers, key=lambda paper: (paper.rank, paper.name))


def start(
    folder: Path,
    papers: Sequence[Paper],
    budget: str,
    seed: int,
    links: Path | None = None,
    zoo: bool = True,
    root: Path | None = None,
) -> None:
    """Make the folder of a reproduction, unless no job has its data or a link is damaged.

    Links are those of the zoo that it takes; ``root`` is the folder of the data sets.
    """
    execute.check_budget(budget)
    manifest = Manifest(budget=budget, seed=seed, studies={})
    jobs = list[Job]()
    for paper in papers:
        mine = paper.jobs(budget, seed)
        manifest.studies[paper.name] = StudyState(jobs={job.name: JobState() for job in mine})
        jobs += mine
    missing = {each.name: each.problem for each in status(root)}
    problems = [missing.get(job.recipe.data.name) for job in jobs]
    if all(problems):
        raise SemveilError(f"no job can be done: {problems[0]}")
    if zoo:
        needed(links or folder / LINKS, jobs)
    new_folder(folder, {MANIFEST: manifest.text()})


class Reproduction:
    """A reproduction that goes on.

    Args:
        folder: Its folder, which :func:`start` made.
        hardware: What its jobs compute on.
        runner: Does the jobs of a study.
        root: Folder of the data sets.
        progress: Called with ``(stage, done, in all)``.
        links: Folder of trained links; one in the folder if None.
        seconds: After how many it stops.
        zoo: Whether it takes links that the zoo has instead of training them.
    """

    def __init__(
        self,
        folder: Path,
        hardware: Hardware,
        runner: Runner,
        root: Path | None = None,
        progress: Progress | None = None,
        links: Path | None = None,
        seconds: float = math.inf,
        zoo: bool = True,
    ) -> None:
        self.deadline = time.monotonic() + seconds
        self.folder, self.hardware, self.runner, self.root = folder, hardware, runner, root
        self.progress, self.links, self.zoo = progress, links or folder / LINKS, zoo
        self.manifest = read_manifest(folder)
        budget, seed = self.manifest.budget, self.manifest.seed
        with in_file(folder / MANIFEST):
            execute.check_budget(budget)
            self.papers = {name: PAPERS.get(name)() for name in self.manifest.studies}
        self.jobs = {name: paper.jobs(budget, seed) for name, paper in self.papers.items()}
        for name, jobs in self.jobs.items():
            try:
                study_facts(folder / name / FACTS, self.manifest, name)
            except OtherWorkError:
                raise
            except SemveilError:
                pass  # not begun, or damaged, which is told when its page is due
            known = self.manifest.studies[name].jobs
            if others := known.keys() - {job.name for job in jobs}:
                raise SemveilError(
                    f"{folder / MANIFEST}: study {name} has no job {min(others)!r}: resume with "
                    "the version that wrote it, or begin anew"
                )
            errors = {job.name: known[job.name].error for job in jobs if job.name in known}
            self.manifest.studies[name].jobs = {
                job.name: state_of(self._place(name, job.name), job, errors.get(job.name))
                for job in jobs
            }

    def run(self) -> Manifest:
        """Do what is left until it is done or time is up, and return what became of every job."""
        failed = {name for name, job in self.manifest.jobs() if job.state == "failed"}
        if self.zoo:
            known = self.manifest.studies
            left = [
                job
                for name, jobs in self.jobs.items()
                for job in jobs
                if known[name].jobs[job.name].state != "done"
            ]
            stock(self.links, left)
        try:
            # What failed before comes last, so that it does not keep the rest from being done.
            for again in (False, True):
                for name, jobs in self.jobs.items():
                    chosen = [job for job in jobs if (f"{name}/{job.name}" in failed) is again]
                    self._study(self.papers[name], chosen)
        except TimeIsUp:
            pass
        finally:
            self.manifest.write(self.folder)
        return self.manifest

    def _study(self, paper: Paper, jobs: Sequence[Job]) -> None:
        """Do jobs of a study, and write its page if all of its jobs are done."""
        place, study = self.folder / paper.name, self.manifest.studies[paper.name]
        if not jobs or self._is_written(paper.name):
            return
        self._stop_in_time()
        context = JobContext(
            paper.name,
            self.hardware,
            self.root,
            progress=self._progress(paper.name),
            links=self.links,
            on_failure=lambda job, error: self._note(paper.name, {job.name: line(error)}),
        )
        with ExitStack() as held:
            try:
                self._open(paper, held)
            except SemveilError as error:
                study.records, study.error = None, line(error)
                self.manifest.write(self.folder)
                return
            # What stands there is of other records, until the page is written anew.
            study.records, study.error = None, None
            self.manifest.write(self.folder)
            try:
                folders.run_jobs(place, jobs, context, self._limited(paper.name))
            finally:
                self._note(paper.name, {job.name: study.jobs[job.name].error for job in jobs})
            if study.done():
                self._finish(paper, place, study)

    def _open(self, paper: Paper, held: ExitStack) -> None:
        """Make or complete the folder of a study, and hold it.

        Raises:
            SemveilError: If something else is there, or another process holds it.
        """
        place = self.folder / paper.name
        jobs = place / folders.JOBS
        begun = (place / FACTS).exists() or jobs.is_dir()
        # A lock, or what a killed process left, is nobody's work.
        if not begun and any(path.name[0] != "." for path in place.glob("*")):
            raise SemveilError(f"{place} is in the way: move it")
        for path in (place, jobs):
            if os.path.lexists(path) and not path.is_dir():
                raise SemveilError(f"{path} is in the way: move it")
        began = paper, self.manifest.budget, self.manifest.seed
        if not place.exists():
            execute.start(place, *began)
        held.enter_context(hold(place))
        try:
            study_facts(place / FACTS, self.manifest, paper.name)
        except MissingPackageError:
            raise
        except SemveilError:
            # Missing or damaged: it states nothing that is not known.
            execute.start(place, *began, again=True)

    def _is_written(self, name: str) -> bool:
        """Return whether the page of a study stands, and is of the records of its jobs."""
        place, study = self.folder / name, self.manifest.studies[name]
        if not study.done() or study.error or not (place / execute.PAGE).exists():
            return False
        try:
            facts = study_facts(place / FACTS, self.manifest, name)
            of_its_jobs = bool(facts.get("finished")) and recorded(facts) == study.recorded()
            return of_its_jobs and study.records == digest(place)
        except SemveilError:
            return False

    def _finish(self, paper: Paper, place: Path, study: StudyState) -> None:
        try:
            execute.finish(place, paper, self.jobs[paper.name], self.hardware)
            study.records, study.error = digest(place), None
        except Exception as error:
            study.error = line(error)
        self.manifest.write(self.folder)

    def _limited(self, name: str) -> Runner:
        """Return the runner, which keeps the manifest up to date and stops when time is up."""

        def run(
            folder: Path, jobs: Sequence[Job], context: JobContext, on_progress: OnProgress
        ) -> None:
            def heard(job: Job, stage: str, done: int, total: int) -> None:
                on_progress(job, stage, done, total)
                if stage == FINISHED:
                    self._note(name, {job.name: None})
                # The page takes no longer than to stop jobs does.
                if not self.manifest.studies[name].done():
                    self._stop_in_time()

            self.runner(folder, jobs, context, heard)

        return run

    def _stop_in_time(self) -> None:
        if time.monotonic() >= self.deadline:
            raise TimeIsUp

    def _note(self, name: str, errors: Mapping[str, str | None]) -> None:
        """Write what became of jobs, whose errors are given, into the manifest."""
        study = self.manifest.studies[name]
        for job in self.jobs[name]:
            if job.name in errors:
                place = self._place(name, job.name)
                study.jobs[job.name] = state_of(place, job, errors[job.name])
        self.manifest.write(self.folder)

    def _place(self, name: str, job: str) -> Path:
        return self.folder / name / folders.JOBS / job

    def _progress(self, name: str) -> Progress | None:
        tell: Callable[[str, int, int], None] | None = self.progress
        if tell is None:
            return None
        return lambda stage, done, total: tell(f"{name} {stage}", done, total)


def line(error: Exception) -> str:
    """Return an error as one line."""
    if isinstance(error, SemveilError):
        return " ".join(str(error).split())
    # Of what another process reports, the last line is the error.
    return traceback.format_exception_only(error)[-1].strip().splitlines()[-1]
