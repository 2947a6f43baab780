"""Jobs: independent pieces of work, each with a folder of its own, that any machine can do."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from semveil import recipe as recipes
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.experiment.checkpoint_cache import train_or_load
from semveil.experiment.provenance import code, of_its_version, provenance
from semveil.experiment.run import FACTS, RECORDS, Run
from semveil.experiment.training import Hardware
from semveil.facts import CodeStates, JobFacts, MissingPackageError, SpentFacts, read_facts
from semveil.files import hold, write_atomic
from semveil.plugin_errors import of_plugin
from semveil.recipe import Recipe
from semveil.records import Asked, Params, Record, read_records, to_plain, write_records
from semveil.training.loop import Progress


@dataclass(frozen=True)
class Job:
    """One run of a study; its result depends on nothing but these settings.

    Attributes:
        name: Its folder.
        recipe: Every setting.
        schemes: What it measures.
        seed: Seed of every stream.
        params: Merged into the params of its records, where jobs differ in a setting that records
            have no field for.
        work: The function that does it, ``"module:function"``, a :data:`Work`; trains and audits
            unless given.
    """

    name: str
    recipe: Recipe
    schemes: tuple[Asked, ...]
    seed: int = 0
    params: Params = field(default_factory=dict)
    work: str = "semveil.experiment.jobs:train_and_audit"


@dataclass(frozen=True)
class JobContext:
    """The circumstances of a job, which do not change its result.

    Attributes:
        study: Name in its records.
        hardware: Device and number of processes.
        root: Folder of the data sets; ``SEMVEIL_DATA`` if None.
        splits: The job's images where they are in memory already, for instance because the
            machine has no data folder; the job reads them itself if None.
        progress: Called with ``(stage, done, in all)``.
        links: Folder of trained links that jobs take from and add to; None for none.
        on_failure: Called with a job that fails and its error, after which the others are done;
            the error ends them if None.
    """

    study: str
    hardware: Hardware
    root: Path | None = None
    splits: ImageSplits | None = None
    progress: Progress | None = None
    links: Path | None = None
    on_failure: Callable[[Job, Exception], None] | None = None

    def elsewhere(self) -> JobContext:
        """Return the context of a job in another process, which this one hears and judges."""
        return replace(self, progress=None, on_failure=None)


Work = Callable[[Path, Job, JobContext], None]
"""Does a job in its folder: leaves ``run.json`` and, last, ``records.jsonl`` there.

``run.json`` has at least ``version``, ``hardware``, ``wall_s``, ``seed``, ``schemes``, ``recipe``
and a true ``finished``. Called again for a folder in which it was interrupted, it ends at the same
records.
"""

OnProgress = Callable[[Job, str, int, int], None]
"""Called with ``(job, stage, done, in all)``."""

Runner = Callable[[Path, Sequence[Job], JobContext, OnProgress], None]
"""Does every job in a folder of its name below the given one."""

SPENT = "spent.json"

FINISHED = "finished"
"""The stage that a runner reports when a job's folder is complete."""


def work_of(job: Job) -> Work:
    """Return the function that a job names."""
    module, _, name = job.work.partition(":")
    work: Work | None = getattr(import_module(module), name, None)
    if not callable(work):
        raise ValueError(f"job {job.name}: there is no function {job.work}")
    return work


def run_job(folder: Path, job: Job, context: JobContext) -> None:
    """Do a job's work; afterwards :func:`is_finished` holds for its folder.

    Its ``spent.json`` has the time that it took, and the code that did it, those of earlier
    attempts included, and the SHA-256 of its records.
    """
    try:
        with _accounted(folder):
            work_of(job)(folder, job, context)
    except Exception as error:
        if isinstance(error, SemveilError) or (refusal := of_plugin(error)) is None:
            raise
        # As one line, which reaches the user from another process too.
        raise refusal from error
    if not is_finished(folder):
        raise ValueError(f"{job.work} left no finished {FACTS} and {RECORDS} in {folder}")


@contextmanager
def _accounted(folder: Path) -> Iterator[None]:
    """Add the time of a piece of work, and the code that did it, to the account of a job."""
    before = SpentFacts().model_dump() | spent(folder)
    started, processor = time.monotonic(), _processor_seconds()
    try:
        yield
    finally:
        # However it ended: an interrupted piece counts too.
        if folder.exists():
            states = [*before["code"], *_trainers(folder), code().model_dump()]
            account: dict[str, Any] = {
                "wall_s": round(before["wall_s"] + time.monotonic() - started, 1),
                "cpu_s": round(before["cpu_s"] + _processor_seconds() - processor, 1),
                "code": [state for at, state in enumerate(states) if state not in states[:at]],
            }
            if is_finished(folder):
                account["records"] = digest(folder)
            write_atomic(folder / SPENT, json.dumps(account, indent=1) + "\n")


def spent(folder: Path) -> dict[str, Any]:
    """Return what a job took so far: ``wall_s``, ``cpu_s``, and the ``code`` that did it.

    The SHA-256 of its ``records`` is there too, if it is finished.
    """
    path = folder / SPENT
    return read_facts(path, SpentFacts, "") if path.exists() else {}


def digest(folder: Path) -> str:
    """Return the SHA-256 of the records of a job or of a study."""
    try:
        return hashlib.sha256((folder / RECORDS).read_bytes()).hexdigest()
    except OSError as error:
        raise SemveilError(f"cannot read {folder / RECORDS}: {error.strerror}") from None


def _trainers(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the states of the code that trained the links of a job, in another job perhaps."""
    for path in sorted(folder.rglob(FACTS)):
        # What is damaged is told where it is used.
        with suppress(SemveilError):
            yield from read_facts(path, CodeStates, "").get("code", [])


def _processor_seconds() -> float:
    """Return the processor time of this process and of those that it started and that ended."""
    return sum(os.times()[:4])


@contextmanager
def tolerated(job: Job, context: JobContext) -> Iterator[None]:
    """Report what fails in a job, where that is wanted, so that the other jobs are done."""
    try:
        yield
    except Exception as error:
        if context.on_failure is None:
            raise
        context.on_failure(job, error)


class OtherWorkError(SemveilError):
    """A folder holds other work than is to be done there."""


def refuse_other(path: Path, job: Job) -> None:
    """Refuse a ``run.json`` of other schemes, of another seed or of other settings than a job's.

    Settings that are left as they are by default do not count, as in weights.

    Raises:
        OtherWorkError: If it is another job's.
        SemveilError: If it is damaged.
    """
    facts = read_facts(path, JobFacts, f"there is no {path}")
    with of_its_version(facts, path):
        recipe = recipes.check(facts["recipe"])
    wanted = _settings(job) | recipes.changes(job.recipe)
    # Facts of older versions, and of links that a job trains, state no work.
    stated = {key: facts.get(key, wanted[key]) for key in _settings(job)}
    if (key := _differing(stated | recipes.changes(recipe), wanted)) is not None:
        raise OtherWorkError(
            f"{path}: {key} is not that of job {job.name}; semveil {facts['version']} wrote "
            f"it: remove {path.parent} to do the job again, or resume as it was begun"
        )


def _settings(job: Job) -> dict[str, Any]:
    """Return the settings of a job but its recipe, as ``run.json`` states them."""
    plain = {
        "schemes": [to_plain(asked) for asked in job.schemes],
        "seed": job.seed,
        "work": job.work,
        "params": job.params,
    }
    found: dict[str, Any] = json.loads(json.dumps(plain))
    return found


def _differing(stated: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """Return the first key, dotted, whose value differs."""
    for key in sorted(stated.keys() | wanted.keys()):
        # A section in which all is as by default is missing.
        one, other = stated.get(key, {}), wanted.get(key, {})
        if isinstance(one, dict) and isinstance(other, dict):
            if (inner := _differing(one, other)) is not None:
                return f"{key}.{inner}"
        elif one != other:
            return key
    return None


def check_left(folder: Path, job: Job) -> None:
    """Refuse what an earlier attempt at a job left, if it is damaged or of another job.

    Raises:
        OtherWorkError: If it is another job's.
        SemveilError: If it is damaged.
    """
    try:
        stated = spent(folder).get("records")
        if is_finished(folder):
            _check_records(folder, stated)
        if (folder / FACTS).exists():
            refuse_other(folder / FACTS, job)
    except (OtherWorkError, MissingPackageError):
        raise
    except SemveilError as damage:
        raise SemveilError(f"{damage}; remove {folder} to do it again") from None


def _check_records(folder: Path, stated: str | None) -> None:
    """Refuse damaged records of a finished job whose SHA-256 is stated, but by older versions."""
    if not read_records(folder / RECORDS):
        raise SemveilError(f"{folder / RECORDS} is damaged: it is empty")
    if stated not in (None, digest(folder)):
        raise SemveilError(f"{folder / RECORDS} is damaged: it is not what {SPENT} states")


def is_finished(folder: Path) -> bool:
    """Return whether a job's folder holds all of its results."""
    try:
        finished: bool = read_facts(folder / FACTS, JobFacts, "not begun")["finished"]
    except SemveilError:
        return False
    return finished and (folder / RECORDS).exists()


def train_and_audit(folder: Path, job: Job, context: JobContext) -> None:
    """Train the job's links and measure its schemes: the work of most jobs."""
    run = begin(folder, job, context)
    with hold(folder):
        run.audit(train_or_load(run, context.links, context.progress), context.progress)


def begin(folder: Path, job: Job, context: JobContext) -> Run:
    """Start the run of a job in a folder, or open it where it was started."""
    kind = Run if context.splits is None else _with_images(context.splits)
    if (folder / FACTS).exists():
        refuse_other(folder / FACTS, job)
        return kind.open(folder, context.hardware, context.root)
    # Without its facts it holds nothing: what was to be removed, or made by an older version.
    shutil.rmtree(folder, ignore_errors=True)
    return kind.create(folder, *run_settings(job, context))


def run_settings(job: Job, context: JobContext) -> tuple[Any, ...]:
    """Return the arguments of a :class:`Run`, its folder left out."""
    return (
        context.study,
        job.recipe,
        list(job.schemes),
        job.seed,
        context.hardware,
        context.root,
    )


def _with_images(images: ImageSplits) -> type[Run]:
    """Return the kind of run that is given its images instead of reading them."""

    class WithImages(Run):
        splits = images

    return WithImages


def write_results(
    folder: Path, job: Job, context: JobContext, records: list[Record], started: float
) -> None:
    """Write the results of work that is not a :class:`Run`: facts, then records."""
    facts: dict[str, Any] = {
        "study": context.study,
        **_settings(job),
        "recipe": job.recipe.model_dump(),
        "wall_s": round(time.monotonic() - started, 1),
        "finished": True,
    } | provenance(context.hardware.device, context.hardware.devices)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / FACTS, json.dumps(facts, indent=1) + "\n")
    write_records(folder / RECORDS, records)


def images_key(job: Job) -> str:
    """Return what the images of a job depend on; jobs with the same key share them."""
    return f"{job.recipe.data.model_dump_json()} {job.seed}"


def read_images(job: Job, context: JobContext) -> ImageSplits:
    """Read the images of a job."""
    return Run(Path(), *run_settings(job, context)).splits
