"""The public interface: train, load and use links, and evaluate them.

The commands of the command line call these functions. ``import semveil`` offers the most important
of them by their names alone, such as ``semveil.load``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from semveil import recipe as recipes
from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import in_order
from semveil.data import DATASETS
from semveil.data.folder import DESCRIPTION as IMAGE_FOLDER
from semveil.device import pick_device
from semveil.errors import SemveilError, SemveilWarning, resumable, unknown
from semveil.experiment.attack_run import AttackRun
from semveil.experiment.harden import harden as start_hardening
from semveil.experiment.jobs import Runner
from semveil.experiment.link import Link
from semveil.experiment.plan import complete, plan, requested, with_reference
from semveil.experiment.pool import Pool
from semveil.experiment.run import Run
from semveil.experiment.send import Sent
from semveil.experiment.send import send as send_files
from semveil.experiment.training import Hardware
from semveil.files import hold, unused_folder
from semveil.metrics import METRICS
from semveil.papers import PAPERS, execute
from semveil.papers import reproduce as reproduction
from semveil.papers.manifest import Manifest, read_manifest
from semveil.plugin_errors import of_plugin
from semveil.protect import PROTECTIONS, added_symbols
from semveil.protect.keys import require_key
from semveil.recipe import Recipe
from semveil.registry import OURS, Registry
from semveil.report.folder import refuse_damage
from semveil.result import Result, read_result
from semveil.schemes import SCHEMES
from semveil.training import TRAININGS
from semveil.zoo.entry import entry_at
from semveil.zoo.open import open_entry

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the steps done, and the steps in all."""


def load(
    folder: str | Path,
    system: str | None = None,
    *,
    key: bytes | None = None,
    device: str = "auto",
    data: Path | None = None,
) -> Link:
    """Load a trained link from the folder of a run, or from the zoo.

    A run holds several systems: the scheme that its recipe asks for, the unprotected reference,
    controls and variants.

    Args:
        folder: Folder of a run, or name of a zoo entry, such as ``digits/ibal``, whose files are
            checked; see `semveil zoo list`.
        system: Which of its systems, as tables name it; the recipe's scheme if omitted.
        key: Session key of a keyed system, 32 secret bytes, which Alice and Bob share. If None it
            is derived from the seed, and everybody has it: for experiments only.
        device: ``auto``, ``cpu`` or ``cuda``.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted. Sending needs no data set.

    Raises:
        SemveilError: If the folder holds no trained run or no such system (the message names the
            systems there are), a zoo entry is unknown, altered or incomplete, or a key is given
            and the system has none.

    Example:
        >>> load("runs/none")
        Traceback (most recent call last):
        ...
        semveil.errors.SemveilError: runs/none holds no run: there is no run.json in it
    """
    entry = entry_at(folder)
    if entry is None:
        run = _open(folder, device, 1, data)
    else:
        run = open_entry(entry, _hardware(device), data)
    link = run.link(system)
    if key is None:
        return link
    if not link.keyed:
        raise SemveilError(f"key: {link.name.label} has none; load it without")
    return link.with_key(require_key(key))


def settings(recipe: str | Path, changes: recipes.Changes = ()) -> Recipe:
    """Return every setting that a run of a recipe has, those of its schemes included.

    Args:
        recipe: Name of a recipe, or path of a ``.yaml`` file.
        changes: Settings to change, such as ``{"link.latent_dim": 64}``.

    Raises:
        SemveilError: If the recipe or a setting is unknown, or a value does not fit.

    Example:
        >>> settings("dp-digits", {"dp.epsilon": 0.5}).model_dump()["dp"]["epsilon"]
        0.5
    """
    found = recipes.load(str(recipe), changes)
    return complete(with_reference(requested(found)), found)


def added_channel_uses(settings: Recipe) -> int:
    """Return the channel uses per image that protections add to ``link.latent_dim / 2``.

    Args:
        settings: From :func:`settings`.

    Example:
        >>> changes = {"protections": ["keyed-pilots"], "keyed-pilots.blocks": 4}
        >>> added_channel_uses(settings("rotation-digits", changes))
        8
    """
    (system, *_) = plan([requested(settings)], settings)
    return added_symbols(system.scheme.recipe)


def train(
    recipe: str | Path | None = None,
    changes: recipes.Changes = (),
    *,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    devices: int = 1,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> Link:
    """Train the links of a recipe, and return the one of its scheme.

    Args:
        recipe: Name of a recipe, or path of a ``.yaml`` file.
        changes: Settings to change, such as ``{"link.latent_dim": 64}``.
        out: Folder to make; ``runs/NAME``, or ``runs/NAME-2`` and so on, if omitted.
        seed: Seed of every random number.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of an interrupted run to resume, instead of a recipe.

    Raises:
        SemveilError: If a setting, the data or the folder does not fit, before anything is trained.

    Example:
        >>> import tempfile
        >>> quick = {"data.limit": 100, "train.epochs": 1, "train.batch": 20, "link.width": 4}
        >>> link = train("deepjscc-digits", quick, out=tempfile.mkdtemp() + "/run", device="cpu")
        >>> link.name.label
        'deepjscc'
    """
    run = _begin(recipe, changes, out, resume, seed, device, devices, data)
    with hold(run.folder), resumable(run.folder, "train"):
        refuse_damage(run.folder)
        run.train(progress)
    return run.link()


def run(
    recipe: str | Path | None = None,
    changes: recipes.Changes = (),
    *,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    devices: int = 1,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> Result:
    """Train the links of a recipe, train eavesdroppers against them, and write the report.

    Arguments and errors are those of :func:`train`.

    Returns:
        What was measured of every system of the run.
    """
    started = _begin(recipe, changes, out, resume, seed, device, devices, data)
    with hold(started.folder), resumable(started.folder, "run"):
        return _audited(started, progress)


def audit_run(
    folder: str | Path,
    *,
    device: str = "auto",
    data: Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Let eavesdroppers attack every system of a trained run, and write the report.

    Args:
        folder: Folder of the run; records and report are written into it.
        device: ``auto``, ``cpu`` or ``cuda``.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Raises:
        SemveilError: If the folder holds no trained run.
    """
    started = _open(folder, device, 1, data)
    started.require_trained()
    with hold(started.folder), resumable(started.folder, "audit"):
        return _audited(started, progress)


def attack_run(
    folder: str | Path | None = None,
    changes: recipes.Changes = (),
    *,
    systems: Sequence[str] | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> Result:
    """Attack Bob in the systems of a trained run, and write the report.

    Args:
        folder: Folder of the run.
        changes: Settings of attacks to change, such as ``{"attack.names": ["pgd"]}``.
        systems: Labels of systems of the run; all if omitted.
        out: Folder to make; ``RUN/attacks``, or ``RUN/attacks-2`` and so on, if omitted.
        device: ``auto``, ``cpu`` or ``cuda``.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of interrupted attacks to resume, instead of a run.

    Raises:
        SemveilError: If the run is not trained, a system or a class is not there, or a setting
            does not fit.
    """
    if resume is not None:
        job = AttackRun.open(Path(resume), _hardware(device), data)
    elif folder is None:
        raise SemveilError("name the folder of a run, or a folder of interrupted attacks to resume")
    else:
        attacked = _open(folder, device, 1, data)
        recipe = recipes.override(attacked.recipe, changes, only={"attack"})
        place = Path(out) if out else unused_folder(attacked.folder / "attacks")
        job = AttackRun.create(place, attacked, recipe.attack, list(systems or []) or None)
    with hold(job.folder), resumable(job.folder, "attack"):
        refuse_damage(job.folder)
        job.execute(progress)
        job.report()
    return read_result(job.folder)


def harden(
    folder: str | Path | Link,
    method: str = "semmixed",
    changes: recipes.Changes = (),
    *,
    out: str | Path | None = None,
    device: str = "auto",
    devices: int = 1,
    data: Path | None = None,
    progress: Progress | None = None,
) -> Link:
    """Train the link of a run against attacks, as a new run.

    Args:
        folder: Folder of the trained run that it begins with, or a link of that run.
        method: A method of ``semveil list adversarial-training``.
        changes: Settings of ``harden`` and ``attack`` to change.
        out: Folder to make; ``RUN-METHOD`` if omitted.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Raises:
        SemveilError: If the run is not trained or already adversarially trained, or a setting
            does not fit.
    """
    TRAININGS.get(method, "method")
    if isinstance(folder, Link):
        if folder.run is None:
            raise SemveilError("this link is of no run: name the folder of a trained run")
        folder = folder.run.folder
    plain = _open(folder, device, devices, data)
    chosen = recipes.update(plain.recipe, {"harden": {"method": method}})
    settings = recipes.override(chosen, changes, only={"harden", "attack"})
    place = Path(out) if out else unused_folder(_beside(plain.folder, method))
    new = start_hardening(plain, settings.model_dump(include={"harden", "attack"}), place)
    with hold(new.folder), resumable(new.folder, "train"):
        new.train(progress)
    return new.link()


def send(
    folder: str | Path,
    images: Sequence[str | Path],
    *,
    system: str | None = None,
    snr_db: float | None = None,
    seed: int = 0,
    picture: str | Path | None = None,
    device: str = "auto",
) -> Sent:
    """Send image files over a trained and audited link, and let the strongest Eve listen.

    Args:
        folder: Folder of the run.
        images: Image files; each is cropped to its central square and resized.
        system: Which of the run's systems; the recipe's scheme if omitted.
        snr_db: SNR of Bob and of Eve, dB; that of Bob's training if omitted.
        seed: Seed of fading and noise.
        picture: ``.png`` or ``.svg`` file to write: images as they were sent, as Bob and as Eve
            rebuilt them.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        What every party makes of every image.

    Raises:
        SemveilError: If the run is not trained or not audited, or a file is no image.
    """
    link = load(folder, system, device=device)
    sent = send_files(link, [Path(image) for image in images], snr_db, seed)
    if picture is not None:
        from semveil.report.figures import reconstruction_grid, save

        save(reconstruction_grid(sent.pictures(), columns=12), Path(picture))
    return sent


def study(
    name: str | None = None,
    budget: str = "cpu",
    *,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    devices: int = 1,
    workers: int | None = None,
    ray: str | None = None,
    cores_per_job: int | None = None,
    gpus_per_job: float | None = None,
    links: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> Result:
    """Run every job of a study of a paper, then write its figures and its page.

    Args:
        name: A study; see ``semveil list papers``.
        budget: ``smoke``, ``cpu`` or ``gpu``.
        out: Folder to make; ``runs/NAME-BUDGET`` or the next free one if omitted.
        seed: Seed of every random number.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        workers: Jobs at a time, each in a process of its own; one after the other if omitted.
        ray: Address of a Ray cluster that does the jobs.
        cores_per_job: Threads of a job; the same number gives the same last digits.
        gpus_per_job: GPUs of a job, or a part of one.
        links: Folder of trained links to take from and to add to.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of an interrupted study to resume, instead of a name.

    Raises:
        SemveilError: If the study is unknown, or settings, data or folder do not fit.
    """
    hardware, runner = _runner(device, devices, workers, ray, cores_per_job, gpus_per_job)
    if resume is not None:
        folder = Path(resume)
        paper = PAPERS.get(execute.read_facts(folder)["study"])()
    elif name is None:
        raise SemveilError("name a study (see `semveil list`), or a folder to resume")
    else:
        paper = PAPERS.get(name)()
        execute.check(paper, budget, seed, hardware, data)
        folder = Path(out) if out else unused_folder(Path("runs") / f"{name}-{budget}")
        execute.start(folder, paper, budget, seed)
    with hold(folder), resumable(folder, "study"):
        execute.execute(folder, paper, hardware, data, progress, runner, links)
    return read_result(folder)


def reproduce(
    only: Sequence[str] = (),
    budget: str = "cpu",
    *,
    out: str | Path | None = None,
    seed: int = 0,
    minutes: float | None = None,
    device: str = "auto",
    devices: int = 1,
    workers: int | None = None,
    ray: str | None = None,
    cores_per_job: int | None = None,
    gpus_per_job: float | None = None,
    links: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
    resume: str | Path | None = None,
) -> tuple[Path, Manifest]:
    """Run every job of every study, the most important study first, and write their pages.

    A job that fails does not stop the others. ``manifest.json`` in the folder says of every job
    what became of it.

    Args:
        only: Studies; all if omitted.
        budget: ``smoke``, ``cpu`` or ``gpu``.
        out: Folder to make; ``runs/reproduce-BUDGET`` or the next free one if omitted.
        seed: Seed of every random number.
        minutes: After how many it stops, at the next step that a job reports. Jobs that it
            interrupts go on where they were when it is resumed.
        device: ``auto``, ``cpu`` or ``cuda``.
        devices: Processes that train together.
        workers: Jobs at a time, each in a process of its own; one after the other if omitted.
        ray: Address of a Ray cluster that does the jobs.
        cores_per_job: Threads of a job; the same number gives the same last digits.
        gpus_per_job: GPUs of a job, or a part of one.
        links: Folder of trained links that all studies share; one in the folder if omitted.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.
        resume: Folder of a reproduction to resume, instead of ``only`` and ``budget``. Jobs that
            failed are tried again, after the others.

    Returns:
        The folder, and its manifest.

    Raises:
        SemveilError: If a study is unknown, or an option or the folder does not fit.
    """
    seconds = math.inf if minutes is None else 60 * minutes
    if not seconds >= 0:
        raise SemveilError(f"minutes: {minutes:g} is not 0 or more")
    hardware, runner = _runner(device, devices, workers, ray, cores_per_job, gpus_per_job)
    if resume is not None:
        folder = Path(resume)
        read_manifest(folder)
    else:
        papers = reproduction.in_order(only)
        folder = Path(out) if out else unused_folder(Path("runs") / f"reproduce-{budget}")
        reproduction.start(folder, papers, budget, seed)
    with hold(folder), resumable(folder, "reproduce"):
        going_on = reproduction.Reproduction(
            folder, hardware, runner, data, progress, links, seconds
        )
        return folder, going_on.run()


def _runner(
    device: str,
    devices: int,
    workers: int | None,
    ray: str | None,
    cores: int | None,
    gpus: float | None,
) -> tuple[Hardware, Runner]:
    """Return what a study's jobs compute on, and who does them."""
    if workers and ray:
        raise SemveilError("workers are processes of this machine, ray is a cluster: name one")
    if gpus is not None and not workers and not ray:
        raise SemveilError("gpus_per_job shares GPUs out to workers or ray: name one")
    if gpus and device == "cpu":
        raise SemveilError("device cpu: its jobs have no use for gpus_per_job")
    if ray:
        from semveil.experiment.cluster import Cluster

        # The GPUs are the cluster's: this machine need not have one.
        if gpus is None:
            gpus = devices if device == "cuda" else 0
        kind = torch.device("cuda" if gpus else "cpu")
        return Hardware(kind, devices), Cluster(ray, cores or 1, gpus)
    hardware = _hardware(device, devices)
    if gpus is None:
        gpus = devices if workers and hardware.device.type == "cuda" else 0
    return hardware, Pool(workers, cores, gpus)


def available(kind: str | None = None) -> dict[str, dict[str, dict[str, str]]]:
    """Return everything that can be chosen by name.

    Args:
        kind: One kind, such as ``schemes`` or ``data sets``; all kinds if omitted.

    Returns:
        By kind and name: description, source, package that adds it, and what else it states.

    Raises:
        SemveilError: If there is no such kind.

    Example:
        >>> available("attacks")["attacks"]["pgd"]["package"]
        'semveil'
    """
    found = {
        "schemes": lambda: _entries(SCHEMES),
        "protections": lambda: _entries(PROTECTIONS),
        "attacks": lambda: _entries(ATTACKS, in_order()),
        "eavesdroppers": lambda: _entries(EAVESDROPPERS),
        "adversarial-training": lambda: _entries(TRAININGS),
        "metrics": lambda: _entries(METRICS),
        "datasets": lambda: _entries(DATASETS) | {"folder:PATH": {"description": IMAGE_FOLDER}},
        "recipes": recipes.overview,
        "papers": lambda: _entries(PAPERS),
    }
    if kind is None:
        return {each: entries() for each, entries in found.items()}
    spelt = _spelling(kind)
    known = {_spelling(each): each for each in found} | {"study": "papers"}
    if spelt not in known:
        raise unknown("kind", kind, list(found))
    return {known[spelt]: found[known[spelt]]()}


def _spelling(kind: str) -> str:
    """Return what all spellings of a kind have in common: ``data sets`` and ``Dataset``."""
    letters = "".join(letter for letter in kind.lower() if letter.isalpha())
    return "study" if letters == "studies" else letters.removesuffix("s")


def _entries(registry: Registry[Any], names: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Return what the classes of a registry say of themselves, and who registered them."""
    found = {}
    for name in names or sorted(registry.names()):
        package = registry.origin(name)
        try:
            found[name] = _statement(registry.get(name)) | {"package": package}
        except Exception as error:
            if package == OURS:
                raise
            refusal = of_plugin(error) or error
            text = f"{registry.kind} '{name}' of {package} cannot be listed: {refusal}"
            warnings.warn(" ".join(text.split()), SemveilWarning, stacklevel=2)
    return found


def _statement(kind: Any) -> dict[str, str]:
    if hasattr(kind, "statement"):
        statement: dict[str, str] = kind.statement()
        return statement
    return {"description": kind.description, "source": kind.source}


def _begin(
    name: str | Path | None,
    changes: recipes.Changes,
    out: str | Path | None,
    resume: str | Path | None,
    seed: int,
    device: str,
    devices: int,
    data: Path | None,
) -> Run:
    """Start a run, or open one to resume."""
    if resume is not None:
        return _open(resume, device, devices, data)
    if name is None:
        raise SemveilError("name a recipe (see `semveil list`), or a folder to resume")
    recipe: Recipe = recipes.load(str(name), changes)
    stem = Path(name).stem
    place = Path(out) if out else unused_folder(Path("runs") / stem)
    schemes = with_reference(requested(recipe))
    return Run.create(place, stem, recipe, schemes, seed, _hardware(device, devices), data)


def _open(folder: str | Path, device: str, devices: int, data: Path | None) -> Run:
    return Run.open(Path(folder), _hardware(device, devices), data)


def _hardware(device: str, devices: int = 1) -> Hardware:
    return Hardware(pick_device(device), devices)


def _audited(started: Run, progress: Progress | None) -> Result:
    refuse_damage(started.folder)
    started.audit(started.train(progress), progress)
    started.report()
    return read_result(started.folder)


def _beside(folder: Path, note: str) -> Path:
    """Return the folder beside another, whatever dots the other was named by."""
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}-{note}")
