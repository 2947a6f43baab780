"""Attacks on the systems of a trained run, in a folder of their own."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from semveil import recipe as recipes
from semveil.adversary.perturb.attack import chosen
from semveil.errors import SemveilError, unknown
from semveil.evaluation.attack_records import attack_system, check
from semveil.evaluation.recorder import Findings
from semveil.evaluation.robustness import refuse_classes
from semveil.experiment.choices import packages
from semveil.experiment.link import Link
from semveil.experiment.plan import plan
from semveil.experiment.provenance import of_its_version, provenance
from semveil.experiment.run import FACTS, RECORDS, MeasuredFolder, Run, image_facts
from semveil.experiment.training import Hardware
from semveil.facts import AttackFacts, read_facts
from semveil.files import new_folder
from semveil.recipe import AttackConfig
from semveil.records import named
from semveil.training.loop import Progress


@dataclass
class AttackRun(MeasuredFolder):
    """Every attack of some settings on every chosen system of a run."""

    folder: Path
    run: Run
    settings: AttackConfig
    systems: list[str]
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def create(
        cls, folder: Path, run: Run, settings: AttackConfig, systems: list[str] | None = None
    ) -> AttackRun:
        """Start attacks: check everything that can be checked, then make their folder."""
        run.require_trained()
        check(settings, run.splits.n_classes)
        # The names stay these, whatever plugins are there when the run is resumed.
        attacks = chosen(settings)
        settings = settings.model_copy(update={"names": [attack.name for attack in attacks]})
        recipe = recipes.update(run.recipe, {"attack": settings.model_dump()})
        job = cls(folder, run, settings, _systems(run, systems))
        for link in run.links(run.untrained()):
            if link.name.label in job.systems and not link.network.classifies:
                refuse_classes(settings, link.name.label)
        job.facts = {
            "study": run.study,
            "attacked": os.path.relpath(run.folder, folder),
            "schemes": job.systems,
            "seed": run.seed,
            "images": image_facts(run.splits),
            "recipe": recipes.complete(recipe, [attack.Config for attack in attacks]).model_dump(),
            "wall_s": 0.0,
            "finished": False,
            "packages": packages(recipe, map(named, run.schemes), attacked=True),
        } | provenance(run.hardware.device, run.hardware.devices)
        new_folder(folder, {FACTS: job._facts_text()})
        return job

    @classmethod
    def open(cls, folder: Path, hardware: Hardware, root: Path | None = None) -> AttackRun:
        """Open a folder of attacks that were begun."""
        facts = read_facts(folder / FACTS, AttackFacts, f"{folder} holds no attacks")
        run = Run.open(folder / facts["attacked"], hardware, root)
        with of_its_version(facts, folder / FACTS):
            recipe = recipes.check(facts["recipe"])
        attacked = run.seed, recipes.changes(run.recipe, {"attack"})
        if (facts["seed"], recipes.changes(recipe, {"attack"})) != attacked:
            raise SemveilError(
                f"{folder / FACTS}: {run.folder} is not the run that the attacks were begun on: "
                "its seed or recipe differs; begin them again"
            )
        return cls(folder, run, recipe.attack, _systems(run, facts["schemes"]), facts)

    def execute(self, progress: Progress | None = None) -> None:
        """Attack every system that was not attacked yet and write the records."""
        started, run = time.monotonic(), self.run
        if not (self.folder / RECORDS).exists():
            links = run.links(run.train(progress))
            attacked = [link for link in links if link.name.label in self.systems]
            self._gather(attacked, run.originals(), partial(self._attacked, progress=progress))
        self._finish(started)

    def _attacked(self, link: Link, progress: Progress | None) -> Findings:
        run = self.run
        return attack_system(
            link.under_test(),
            run.splits,
            run.setting(),
            chosen(self.settings),
            self.settings,
            run.hardware.device,
            progress,
            run.recipe.audit.pictures,
        )


def _systems(run: Run, wanted: list[str] | None) -> list[str]:
    """Return the labels of a run's systems, or those of them that are wanted."""
    known = [planned.name.label for planned in plan(run.schemes, run.recipe)]
    for label in wanted or []:
        if label not in known:
            raise unknown("system", label, known)
    return wanted or known
