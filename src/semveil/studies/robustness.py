"""What the studies of attacks and defences share: links and effort by budget, and the work."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semveil import recipe as recipes
from semveil.evaluation.attack_records import attack_system, prepare
from semveil.experiment.checkpoint_cache import train_or_load
from semveil.experiment.harden import harden
from semveil.experiment.partial_results import PartialResults
from semveil.experiment.run import SAMPLES, Run
from semveil.recipe import HARDENINGS, PERTURBERS, AttackConfig, Recipe
from semveil.records import Record
from semveil.result import write_samples
from semveil.studies.base import Job, nested
from semveil.studies.jobs import JobContext, begin, write_results

TARGET, WRONG = 2, 5
METHODS = tuple(method for method in HARDENINGS if method != "none")
GENERATORS = ("pgm", "semadv")

# The links: the published frame and structure; how wide and how long trained is what a budget can.
_LINKS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "smoke": {
        "digits": {
            "link.width": 4,
            "semantic.blocks": 1,
            "semantic.classifier_width": 4,
            "train.epochs": 2,
            "harden.epochs": 1,
            "harden.steps": 1,
        },
    },
    "cpu": {
        "mnist": {"data.limit": 30000, "train.epochs": 4, "harden.epochs": 3, "harden.steps": 3},
        "cifar10": {
            "data.limit": 32000,
            "link.width": 16,
            "train.epochs": 10,
            "harden.epochs": 3,
            "harden.steps": 3,
        },
        "imagenette": {
            "data.image_size": 64,
            "link.latent_dim": 3072,
            "link.width": 16,
            "train.epochs": 60,
            "train.batch": 32,
            "harden.epochs": 15,
            "harden.steps": 3,
        },
    },
    "full": {
        "mnist": {"link.width": 64, "train.epochs": 40, "harden.epochs": 20, "harden.steps": 10},
        "cifar10": {
            "link.width": 64,
            "semantic.classifier_width": 64,
            "semantic.classifier_blocks": 2,
            "train.epochs": 200,
            "harden.epochs": 40,
            "harden.steps": 10,
        },
        "imagenette": {
            "link.width": 64,
            "semantic.classifier_width": 32,
            "train.epochs": 200,
            "harden.epochs": 40,
            "harden.steps": 10,
        },
    },
}

# How hard Mallory tries.
_EFFORT: Mapping[str, Mapping[str, Any]] = {
    "smoke": {
        "psr_db": [-10.0, -2.0],
        "steps": 2,
        "restarts": 1,
        "queries": 4,
        "epochs": 1,
        "images": 40,
        "train_images": 100,
        "batch": 40,
    },
    "cpu": {
        "psr_db": [-10.0, -6.0, -2.0],
        "steps": 10,
        "restarts": 1,
        "queries": 60,
        "epochs": 6,
        "images": 500,
        "train_images": 5000,
        "batch": 100,
    },
    "full": {
        "psr_db": [-10.0, -8.0, -6.0, -4.0, -2.0],
        "steps": 40,
        "restarts": 5,
        "queries": 1000,
        "epochs": 50,
        "images": 10000,
        "train_images": 20000,
        "batch": 250,
    },
}


def datasets(budget: str) -> list[str]:
    """Return the sets that a budget runs on.

    Example:
        >>> datasets("cpu")
        ['mnist', 'cifar10', 'imagenette']
    """
    return list(_LINKS[budget])


def recipe(budget: str, dataset: str, **attack: Any) -> Recipe:
    """Return the recipe of MobileSC on a set, with the effort of a budget.

    Args:
        budget: ``smoke``, ``cpu`` or ``full``.
        dataset: One of :func:`datasets`.
        attack: Settings of attacks besides the effort.

    Example:
        >>> recipe("cpu", "cifar10", target=2).attack.target
        2
    """
    effort = dict(_EFFORT[budget])
    if dataset == "imagenette":
        # It has a few hundred images for each party.
        effort["batch"] = min(effort["batch"], 50)
        effort["epochs"] = 4 * effort["epochs"]
        if budget == "cpu":
            # These two would take as long as all the others.
            effort["names"] = [name for name in PERTURBERS if name not in ("uap", "blackbox")]
            effort["images"] = 200
    changes = nested(_LINKS[budget][dataset])
    changes["attack"] = {**effort, **attack}
    return recipes.update(recipes.load(f"mobilesc-{dataset}"), changes)


def attack_links(folder: Path, job: Job, means: JobContext) -> None:
    """Attack a plain link: one class aimed at, and then everybody misled to another.

    Raises:
        SemveilError: As runs and attacks.
    """
    attack = job.recipe.attack
    towards = attack.model_copy(
        update={
            "target": None,
            "wrong": WRONG,
            "names": [name for name in ("jamming", "pgd", "semadv") if name in attack.names],
            "psr_db": [float(level) for level in range(-10, 0, 2)],
        }
    )
    _attack(folder, job, means, {"aimed": attack, "misled": towards})


def attack_link(folder: Path, job: Job, means: JobContext) -> None:
    """Attack a plain link as the job's recipe says.

    Raises:
        SemveilError: As runs and attacks.
    """
    _attack(folder, job, means, {"aimed": job.recipe.attack})


def _attack(
    folder: Path, job: Job, means: JobContext, variants: Mapping[str, AttackConfig]
) -> None:
    started = time.monotonic()
    run = begin(folder / "plain", job, means)
    links = run.links(train_or_load(run, means.shelf, means.progress))
    parts, records = PartialResults(folder), list[Record]()
    samples = run.originals()
    for name, settings in variants.items():
        for link in links:
            part = parts.get(f"{name} {link.plan.stream}")
            if part is None:
                part = attack_system(
                    link.under_test(),
                    run.splits,
                    run.setting(),
                    settings,
                    run.hardware.device,
                    means.progress,
                    run.recipe.audit.pictures if name == "aimed" else 0,
                )
                parts.keep(f"{name} {link.plan.stream}", part)
            records += part.records
            samples |= part.samples
    write_samples(folder / SAMPLES, samples)
    write_results(folder, job, means, records, started)
    parts.remove()


def harden_links(folder: Path, job: Job, means: JobContext) -> None:
    """Harden a link by every method, and attack it as the paper did and then anew.

    Raises:
        SemveilError: As runs and attacks.
    """
    started = time.monotonic()
    run = begin(folder / "plain", job, means)
    train_or_load(run, means.shelf, means.progress)
    parts, records = PartialResults(folder), list[Record]()
    siege = _Siege(run, means)
    for method in ("none", *METHODS):
        link = run if method == "none" else hardened(folder, method, run, means)
        part = parts.get(method)
        if part is None:
            part = siege.on(link)
            parts.keep(method, part)
        records += part.records
    write_results(folder, job, means, records, started)
    parts.remove()


def hardened(folder: Path, method: str, plain: Run, means: JobContext) -> Run:
    """Return the run of a method that begins with a plain run's link, trained.

    Args:
        folder: Folder of the job; the run lies in a folder below it.
        method: One of :data:`METHODS`.
        plain: The plain run, trained.
        means: What the job works with.

    Raises:
        SemveilError: As runs.
    """
    place = folder / method
    if place.exists():
        run = type(plain).open(place, means.hardware, means.root)
    else:
        run = harden(plain, {"harden": {"method": method}}, place)
    run.splits = plain.splits
    train_or_load(run, means.shelf, means.progress)
    return run


class _Siege:
    """Every attack on a link, those that were trained on the plain one too."""

    def __init__(self, plain: Run, means: JobContext) -> None:
        self.plain, self.means = plain, means
        self._prepared: Mapping[str, Any] | None = None

    def _system(self, run: Run) -> Any:
        return run.links(run.train(self.means.progress))[0].under_test()

    def prepared(self) -> Mapping[str, Any]:
        """Return the generators that practised on the plain link."""
        if self._prepared is None:
            run = self.plain
            names = [name for name in run.recipe.attack.names if name in GENERATORS]
            settings = run.recipe.attack.model_copy(update={"names": names})
            self._prepared = prepare(
                self._system(run),
                run.splits,
                run.setting(),
                settings,
                run.hardware.device,
                self.means.progress,
            )
        return self._prepared

    def on(self, run: Run) -> Any:
        """Return the findings on a run's link."""
        common = run.splits, run.setting(), run.recipe.attack, run.hardware.device
        system = self._system(run)
        earlier = None if run is self.plain else self.prepared()
        found = attack_system(system, *common, self.means.progress, earlier=earlier)
        if run is not self.plain:
            again = attack_system(system, *common, self.means.progress, prepared=self.prepared())
            # Undisturbed it was measured before.
            found.records += [record for record in again.records if record.adversary]
        return found
