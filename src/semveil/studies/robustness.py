"""What the studies of attacks and defences share: links and effort by budget, and the work."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semveil import recipe as recipes
from semveil.adversary.perturb.attack import Attack, chosen
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.evaluation.attack_records import attack_system, fit_attacks
from semveil.experiment.checkpoint_cache import train_or_load
from semveil.experiment.harden import harden
from semveil.experiment.jobs import JobContext, begin, write_results
from semveil.experiment.partial_results import PartialResults
from semveil.experiment.run import SAMPLES, Run
from semveil.recipe import AttackConfig, Recipe
from semveil.records import Record
from semveil.result import write_samples
from semveil.studies.base import Job, nested
from semveil.training import TRAININGS

TARGET, WRONG = 2, 5
METHODS = tuple(TRAININGS.names())
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

# Settings of the attacks.
_EFFORT: Mapping[str, Mapping[str, Any]] = {
    "smoke": {
        "psr_db": [-10.0, -2.0],
        "pgd": {"steps": 2, "restarts": 1},
        "uap": {"steps": 2, "epochs": 1},
        "pgm": {"epochs": 1},
        "semadv": {"epochs": 1},
        "transfer": {"steps": 2, "restarts": 1, "epochs": 1},
        "blackbox": {"queries": 4},
        "images": 40,
        "train_images": 100,
        "batch": 40,
    },
    "cpu": {
        "psr_db": [-10.0, -6.0, -2.0],
        "pgd": {"steps": 10, "restarts": 1},
        "uap": {"steps": 10, "epochs": 6},
        "pgm": {"epochs": 6},
        "semadv": {"epochs": 6},
        "transfer": {"steps": 10, "restarts": 1, "epochs": 6},
        "blackbox": {"queries": 60},
        "images": 500,
        "train_images": 5000,
        "batch": 100,
    },
    "full": {
        "psr_db": [-10.0, -8.0, -6.0, -4.0, -2.0],
        "pgd": {"steps": 40, "restarts": 5},
        "uap": {"steps": 40, "epochs": 50},
        "pgm": {"epochs": 50},
        "semadv": {"epochs": 50},
        "transfer": {"steps": 40, "restarts": 5, "epochs": 50},
        "blackbox": {"queries": 1000},
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
        >>> recipe("cpu", "cifar10", source_class=2).attack.source_class
        2
    """
    effort = dict(_EFFORT[budget])
    if dataset == "imagenette":
        # It has a few hundred images for each party.
        effort["batch"] = min(effort["batch"], 50)
        for name in ("uap", "pgm", "semadv", "transfer"):
            effort[name] = {**effort[name], "epochs": 4 * effort[name]["epochs"]}
        if budget == "cpu":
            # These two would take as long as all the others.
            effort["names"] = ["jamming", "fgm", "pgd", "pgm", "semadv", "transfer"]
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
            "source_class": None,
            "target_class": WRONG,
            "names": ["jamming", "pgd", "semadv"],
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
    links = run.links(train_or_load(run, means.links, means.progress))
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
                    chosen(settings),
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
    train_or_load(run, means.links, means.progress)
    parts, records = PartialResults(folder), list[Record]()
    attacks = _Attacks(run, means)
    for method in ("none", *METHODS):
        link = run if method == "none" else hardened(folder, method, run, means)
        part = parts.get(method)
        if part is None:
            part = attacks.on(link)
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
    train_or_load(run, means.links, means.progress)
    return run


class _Attacks:
    """Every attack on a link, and the generators that were trained on the plain link."""

    def __init__(self, plain: Run, means: JobContext) -> None:
        self.plain, self.means = plain, means
        self._fitted: list[Attack] | None = None

    def _system(self, run: Run) -> Any:
        return run.links(run.train(self.means.progress))[0].under_test()

    def fitted(self) -> list[Attack]:
        """Return the generator attacks, trained on the plain link."""
        if self._fitted is None:
            run = self.plain
            self._fitted = fit_attacks(
                self._system(run),
                run.splits,
                run.setting(),
                [one for one in chosen(run.recipe.attack) if isinstance(one, GeneratorAttack)],
                run.recipe.attack,
                run.hardware.device,
                self.means.progress,
            )
        return self._fitted

    def on(self, run: Run) -> Any:
        """Return the findings on a run's link."""
        common = run.recipe.attack, run.hardware.device, self.means.progress
        system, attacks = self._system(run), chosen(run.recipe.attack)
        if run is self.plain:
            return attack_system(system, run.splits, run.setting(), attacks, *common)
        known = {attack.name: attack for attack in self.fitted()}
        attacks = [known.get(attack.name, attack) for attack in attacks]
        found = attack_system(system, run.splits, run.setting(), attacks, *common)
        again = attack_system(system, run.splits, run.setting(), self.fitted(), *common, fit=False)
        # Without an attack it was measured before.
        found.records += [record for record in again.records if record.adversary]
        return found
