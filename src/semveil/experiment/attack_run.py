"""Attacks on the systems of a trained run, in a folder of their own."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from semveil import recipe as recipes
from semveil.adversary.perturb.attack import chosen
from semveil.errors import SemveilError, unknown
from semveil.evaluation.attack_records import attack_system, check
from semveil.evaluation.recorder import Findings
from semveil.evaluation.robustness import refuse_classes
from semveil.experiment.partial_results import PartialResults
from semveil.experiment.plan import plan
from semveil.experiment.provenance import provenance
from semveil.experiment.run import FACTS, PAGE, RECORDS, SAMPLES, Run
from semveil.experiment.training import Hardware
from semveil.files import new_folder, remove_scraps, write_atomic
from semveil.recipe import AttackConfig
from semveil.records import write_records
from semveil.result import write_samples
from semveil.training.loop import Progress


@dataclass
class AttackRun:
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
        new_folder(folder)
        job.facts = {
            "study": run.study,
            "attacked": os.path.relpath(run.folder, folder),
            "schemes": job.systems,
            "seed": run.seed,
            "recipe": recipes.complete(recipe, [attack.Config for attack in attacks]).model_dump(),
            "wall_s": 0.0,
            "finished": False,
        } | provenance(run.hardware.device, run.hardware.devices)
        job._write_facts()
        return job

    @classmethod
    def open(cls, folder: Path, hardware: Hardware, root: Path | None = None) -> AttackRun:
        """Open a folder of attacks that were begun."""
        try:
            facts = json.loads((folder / FACTS).read_text())
            run = Run.open(folder / facts["attacked"], hardware, root)
            settings = recipes.check(facts["recipe"]).attack
            systems, _ = facts["schemes"], facts["wall_s"]
        except (OSError, ValueError, KeyError, TypeError):
            raise SemveilError(f"{folder} holds no attacks") from None
        remove_scraps(folder)
        return cls(folder, run, settings, _systems(run, systems), facts)

    def _write_facts(self) -> None:
        write_atomic(self.folder / FACTS, json.dumps(self.facts, indent=1) + "\n")

    def execute(self, progress: Progress | None = None) -> None:
        """Attack every system that was not attacked yet and write the records."""
        started, run = time.monotonic(), self.run
        if (self.folder / RECORDS).exists():
            self._finish(started)
            return
        links = run.links(run.train(progress))
        findings, parts = Findings(samples=run.originals()), PartialResults(self.folder)
        for link in (link for link in links if link.name.label in self.systems):
            part = parts.get(link.plan.stream)
            if part is None:
                part = attack_system(
                    link.under_test(),
                    run.splits,
                    run.setting(),
                    chosen(self.settings),
                    self.settings,
                    run.hardware.device,
                    progress,
                    run.recipe.audit.pictures,
                )
                parts.keep(link.plan.stream, part)
            findings.records += part.records
            findings.samples |= part.samples
        write_samples(self.folder / SAMPLES, findings.samples)
        write_records(self.folder / RECORDS, findings.records)
        self._finish(started)

    def _finish(self, started: float) -> None:
        PartialResults(self.folder).remove()
        if not self.facts["finished"]:
            self.facts["wall_s"] = round(self.facts["wall_s"] + time.monotonic() - started, 1)
            self.facts["finished"] = True
            self._write_facts()

    def report(self) -> Path:
        """Write the page and return its path."""
        from semveil.report.page import write_report

        page = self.folder / PAGE
        write_report(page, [self.folder])
        return page


def _systems(run: Run, wanted: list[str] | None) -> list[str]:
    """Return the labels of a run's systems, or those of them that are wanted."""
    known = [planned.name.label for planned in plan(run.schemes, run.recipe)]
    for label in wanted or []:
        if label not in known:
            raise unknown("system", label, known)
    return wanted or known
