"""Links under attack, with and without adversarial training: what studies of MobileSC measure."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from semveil import recipe as recipes
from semveil.adversary.perturb.attack import Attack, chosen
from semveil.adversary.perturb.generator_attack import GeneratorAttack
from semveil.evaluation.attack_records import Findings, attack_system, fit_attacks
from semveil.experiment.checkpoint_cache import train_or_load
from semveil.experiment.harden import harden
from semveil.experiment.jobs import Job, JobContext, begin, refuse_other, write_results
from semveil.experiment.partial_results import PartialResults
from semveil.experiment.plan import requested
from semveil.experiment.run import FACTS, SAMPLES, Run
from semveil.recipe import AttackConfig
from semveil.records import Params, Record
from semveil.result import write_samples

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TARGET_CLASS = 5
# Settings that the paper leaves open: by attack and setting, values beside the default.
OPEN: Mapping[str, Mapping[str, Sequence[float]]] = {
    "semadv": {"innocent_weight": (1.0, 3.0, 30.0)},
    "pgm": {"diversity": (0.0,)},
}
METHODS = ("noise", "at-pgd", "at-pgm", "at-semadv", "semmixed")
_KEPT = ("psnr_db", "ssim", "accuracy")


def attack_links(folder: Path, job: Job, context: JobContext) -> None:
    """Attack a link: first one source class, then all images with one target class."""
    attack = job.recipe.attack
    towards = attack.model_copy(
        update={
            "source_class": None,
            "target_class": TARGET_CLASS,
            "names": ["jamming", "pgd", "semadv"],
            "psr_db": [float(level) for level in range(-10, 0, 2)],
        }
    )
    variants = {"aimed": _Variant(attack), "misled": _Variant(towards), **_readings(attack)}
    _attack(folder, job, context, variants)


def attack_link(folder: Path, job: Job, context: JobContext) -> None:
    """Attack a link as the job's recipe says."""
    attack = job.recipe.attack
    _attack(folder, job, context, {"aimed": _Variant(attack), **_readings(attack)})


@dataclass(frozen=True)
class _Variant:
    """Attacks on a link, and what tells their records apart, which are then of attacks alone."""

    settings: AttackConfig
    params: Params = field(default_factory=dict)

    def records(self, part: Findings) -> list[Record]:
        if not self.params:
            return part.records
        return [one.with_params(self.params) for one in part.records if one.adversary]


def _readings(attack: AttackConfig) -> dict[str, _Variant]:
    """Return each attack alone with each other value of a setting that the paper leaves open."""
    plain, asked = attack.model_dump(), {each.name for each in chosen(attack)}
    return {
        f"{name} {setting} {value:g}": _Variant(
            AttackConfig.model_validate(
                {**plain, "names": [name], name: {**plain.get(name, {}), setting: value}}
            ),
            {setting: value},
        )
        for name, settings in OPEN.items()
        if name in asked
        for setting, values in settings.items()
        for value in values
    }


def _attack(folder: Path, job: Job, context: JobContext, variants: Mapping[str, _Variant]) -> None:
    started = time.monotonic()
    run = begin(folder / "plain", job, context)
    links = run.links(train_or_load(run, context.links, context.progress))
    parts, records = PartialResults(folder), list[Record]()
    samples = run.originals()
    for name, variant in variants.items():
        for link in links:
            attacked = partial(
                attack_system,
                link.under_test(),
                run.splits,
                run.setting(),
                chosen(variant.settings),
                variant.settings,
                run.hardware.device,
                context.progress,
                run.recipe.audit.pictures if name == "aimed" else 0,
            )
            part = parts.get(f"{name} {link.plan.stream}", attacked)
            records += variant.records(part)
            samples |= part.samples
    write_samples(folder / SAMPLES, samples)
    write_results(folder, job, context, records, started)
    parts.remove()


def harden_links(folder: Path, job: Job, context: JobContext) -> None:
    """Train a link against attacks by every method, and attack each result by both protocols."""
    started = time.monotonic()
    run = begin(folder / "plain", job, context)
    train_or_load(run, context.links, context.progress)
    parts, records = PartialResults(folder), list[Record]()
    attacks = _Attacks(run, context)
    for method in ("none", *METHODS):
        link = run if method == "none" else adversarially_trained(folder, method, run, context)
        records += parts.get(method, partial(attacks.on, link)).records
    write_results(folder, job, context, records, started)
    parts.remove()


def adversarially_trained(folder: Path, method: str, plain: Run, context: JobContext) -> Run:
    """Return the run of a method that begins with a plain run's link, trained."""
    place, changes = folder / method, {"harden": {"method": method}}
    if place.exists():
        recipe = recipes.update(plain.recipe, changes)
        refuse_other(place / FACTS, Job(method, recipe, (requested(recipe),), plain.seed))
        run = type(plain).open(place, context.hardware, context.root)
    else:
        run = harden(plain, changes, place)
    run.splits = plain.splits
    train_or_load(run, context.links, context.progress)
    return run


def attack_at_every_snr(folder: Path, job: Job, context: JobContext) -> None:
    """Measure a link and its SemMixed form at every SNR, without attack and under attack."""
    # Attacks are trained on the undefended link, at the SNR of its training, as in the paper.
    started = time.monotonic()
    plain = begin(folder / "plain", job, context)
    train_or_load(plain, context.links, context.progress)
    mixed = adversarially_trained(folder, "semmixed", plain, context)
    attacks, records = _Attacks(plain, context), list[Record]()
    for run in (plain, mixed):
        for snr_db in job.recipe.audit.bob_snr_db:
            settings = job.recipe.attack.model_copy(update={"snr_db": snr_db})
            found = attacks.with_fitted(run, settings)
            records += [
                record
                for record in found.records
                if record.metric in _KEPT and record.image_class is None
            ]
    write_results(folder, job, context, records, started)


def attack_pictures(place: Path, done: Sequence[Job]) -> Mapping[str, Figure]:
    """Draw a grid of Bob's images, one row an attack."""
    from semveil.report.figures import attack_grid, attacked
    from semveil.report.folder import read_samples

    drawn = {}
    for job in done:
        samples = read_samples(place / job.name / SAMPLES, "originals")
        names = job.recipe.attack.names
        for system in list(attacked(samples))[:1]:
            drawn[f"case-{job.name}.png"] = attack_grid(samples, system, attacks=names)
    return drawn


class _Attacks:
    """Attacks on links, among them generators that were trained on the undefended link."""

    def __init__(self, plain: Run, context: JobContext) -> None:
        self.plain, self.context = plain, context
        self._fitted: list[Attack] | None = None

    def _attack(
        self, run: Run, attacks: Sequence[Attack], settings: AttackConfig, fit: bool
    ) -> Findings:
        system = run.links(run.train(self.context.progress))[0].under_test()
        common = run.splits, run.setting(), attacks, settings, run.hardware.device
        return attack_system(system, *common, self.context.progress, fit=fit)

    def fitted(self) -> list[Attack]:
        """Return the generator attacks, trained on the undefended link."""
        if self._fitted is None:
            run, settings = self.plain, self.plain.recipe.attack
            system = run.links(run.train(self.context.progress))[0].under_test()
            generators = [one for one in chosen(settings) if isinstance(one, GeneratorAttack)]
            common = run.splits, run.setting(), generators, settings, run.hardware.device
            self._fitted = fit_attacks(system, *common, self.context.progress)
        return self._fitted

    def with_fitted(self, run: Run, settings: AttackConfig) -> Findings:
        """Return the findings on a run's link under generators for the undefended link."""
        return self._attack(run, self.fitted(), settings, fit=False)

    def on(self, run: Run) -> Findings:
        """Return the findings on a run's link, by both protocols."""
        settings = run.recipe.attack
        attacks = chosen(settings)
        if run is self.plain:
            return self._attack(run, attacks, settings, fit=True)
        known = {attack.name: attack for attack in self.fitted()}
        attacks = [known.get(attack.name, attack) for attack in attacks]
        found = self._attack(run, attacks, settings, fit=True)
        again = self.with_fitted(run, settings)
        # Without an attack it was measured before.
        found.records += [record for record in again.records if record.adversary]
        return found
