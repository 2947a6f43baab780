"""Attacks on Bob as records: accuracy, misleading rate, selectivity and image quality."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semveil.adversary.configured import require_distinct
from semveil.adversary.perturb.attack import Attack, Progress, goal_of
from semveil.adversary.perturb.certify import Certificate
from semveil.adversary.perturb.minimum import HIGHEST_DB, SmallestBudget
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.evaluation.recorder import Findings
from semveil.evaluation.robustness import Outcome, RobustnessTest
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.link import as_float
from semveil.metrics import MAIN, Estimate, bootstrap_mean, bootstrap_quantile, integrity, wilson
from semveil.metrics.accuracy import MinimumPsr
from semveil.metrics.floors import image_floor
from semveil.recipe import AttackConfig
from semveil.records import Record

# From budgets below the noise to those that no practicable number of samples can certify.
_NOTHING = 0.01  # a rate of right answers
_CERTIFIED_DB = tuple(float(level) for level in range(-60, -9, 2))


def check(settings: AttackConfig, classes: int) -> None:
    """Refuse classes that Bob's task does not have."""
    for name in ("source_class", "target_class"):
        chosen = getattr(settings, name)
        if chosen is not None and chosen >= classes:
            raise SemveilError(
                f"attack.{name}: there is no class {chosen}, they are 0 to {classes - 1}"
            )
    if settings.source_class is not None and settings.source_class == settings.target_class:
        raise SemveilError(
            f"attack.target_class: {settings.target_class} is the class that attack.source_class "
            "names"
        )


def goal_name(settings: AttackConfig) -> str | None:
    """Return the goal as records carry it; None if any mistake will do."""
    parts = [] if settings.source_class is None else [f"class {settings.source_class}"]
    parts += [] if settings.target_class is None else [f"to class {settings.target_class}"]
    return " ".join(parts) or None


def fit_attacks(
    system: SystemUnderTest,
    splits: ImageSplits,
    setting: Conditions,
    attacks: Sequence[Attack],
    settings: AttackConfig,
    device: torch.device,
    progress: Progress | None = None,
) -> list[Attack]:
    """Return copies of attacks, fitted on a system; arguments as below."""
    test = RobustnessTest(system, splits, setting, settings, device)
    found = [attack.towards(goal_of(settings)) for attack in attacks]
    for attack in found:
        test.fit(attack, progress or _silent)
    return found


def attack_system(
    system: SystemUnderTest,
    splits: ImageSplits,
    setting: Conditions,
    attacks: Sequence[Attack],
    settings: AttackConfig,
    device: torch.device,
    progress: Progress | None = None,
    pictures: int = 0,
    fit: bool = True,
) -> Findings:
    """Attack Bob with every attack at every budget.

    Attacks that learn are trained on the adversary's images, against the system as it is.
    """
    check(settings, splits.n_classes)
    require_distinct("attacks", [attack.name for attack in attacks])
    progress = progress or _silent
    test = RobustnessTest(system, splits, setting, settings, device, pictures)
    for attack in attacks:
        if fit and test.applies(attack):
            test.require_memory(attack)
    report = _Report(test, splits, setting)
    unattacked = test.without_attack()
    report.write("none", "none", None, None, unattacked)
    report.floors(unattacked)
    if settings.votes:
        report.certify(test.certificates(progress))
    for attack in attacks:
        if test.applies(attack):
            attack = attack.towards(goal_of(settings))
            if fit:
                test.fit(attack, progress)
            report.attack(attack, "adaptive" if fit else "paper", progress)
    report.flag({attack.name for attack in attacks if attack.needs_gradient})
    return report.findings


class _Report:
    """Turns outcomes into records."""

    def __init__(self, test: RobustnessTest, splits: ImageSplits, setting: Conditions) -> None:
        self.test, self.splits, self.setting = test, splits, setting
        self.labels = test.labels
        self.findings = Findings()

    def attack(self, attack: Attack, protocol: str, progress: Progress) -> None:
        """Add the records of a fitted attack at every budget."""
        test = self.test
        if isinstance(attack, SmallestBudget):
            self.smallest(attack, protocol, progress)
            return
        if attack.serves_each_class:
            # Every image is attacked twice: as one of the source class, and as one of another.
            attacked = test.class_by_class(attack, lambda labels: labels)
            classes = self.splits.n_classes
            others = test.class_by_class(attack, lambda labels: (labels + 1) % classes)
            for psr_db, outcome, other in zip(test.psrs_db, attacked, others, strict=True):
                self.write(attack.name, protocol, psr_db, "each class", outcome, other)
            return
        stages = test.under(attack, progress)
        target = goal_name(test.settings)
        final = stages.pop("")
        for psr_db, outcome in zip(test.psrs_db, final, strict=True):
            self.write(attack.name, protocol, psr_db, target, outcome)
        if all(self._none_right(outcome) for outcome in final):
            # Links cannot be ranked by such an attack.
            flag = Estimate(1.0, 1.0, 1.0, len(self.labels))
            fields = {"adversary": attack.name, "protocol": protocol, "target": target}
            self.findings.records.append(self._record("saturated", flag, **fields))
        for stage, outcomes in stages.items():
            for psr_db, outcome in zip(test.psrs_db, outcomes, strict=True):
                self.stage(attack.name, protocol, psr_db, target, outcome, stage)

    def smallest(self, attack: SmallestBudget, protocol: str, progress: Progress) -> None:
        """Add quantiles of the least PSRs, and Bob's accuracy if each image got no more than one.

        The quantiles are of images that he understands without an attack (and of the source class,
        if there is one). Where no PSR was found, the greatest that was tried stands for it.
        """
        found = self.test.smallest(attack, progress)
        settings = self.test.settings
        fields: dict[str, Any] = {
            "adversary": attack.name,
            "protocol": protocol,
            "target": goal_name(settings),
        }
        of = torch.ones_like(found, dtype=torch.bool)
        if settings.source_class is not None:
            of = self.labels == settings.source_class
        known = found[of & (found > -math.inf)].clamp(max=HIGHEST_DB)
        if len(known):
            quantiles = {MinimumPsr.name: 0.5, **MinimumPsr.tail_names()}
            self.findings.records += [
                self._record(name, bootstrap_quantile(known, q), **fields)
                for name, q in quantiles.items()
            ]
        metric = "accuracy" if settings.source_class is None else "accuracy_targeted"
        if settings.target_class is not None:
            metric = "misleading_rate"
            of &= self.labels != settings.target_class
        for psr_db in self.test.psrs_db:
            changed = found[of] <= psr_db
            rate = changed if metric == "misleading_rate" else ~changed
            self.findings.records += [
                self._record(name, estimate, psr_db=psr_db, **fields)
                for name, estimate in _rate_of(metric, rate)
            ]

    def stage(
        self,
        attack: str,
        protocol: str,
        psr_db: float,
        target: str | None,
        outcome: Outcome,
        stage: str,
    ) -> None:
        """Add Bob's main figures at a stage of a search."""
        self.findings.records += [
            self._record(
                f"{name}_{stage}",
                estimate,
                adversary=attack,
                protocol=protocol,
                psr_db=psr_db,
                target=target,
            )
            for name, estimate, label in self._figures(outcome, None)
            if name in MAIN.values() and label is None
        ]

    def _none_right(self, outcome: Outcome) -> bool:
        answers, wanted = outcome.answers, self.test.settings.target_class
        if answers is None:
            return False
        of = torch.ones_like(self.labels, dtype=torch.bool)
        if self.test.settings.source_class is not None:
            of = self.labels == self.test.settings.source_class
        if wanted is not None:
            return bool((answers[of] == wanted).all())
        return not bool((answers[of] == self.labels[of]).any())

    def write(
        self,
        attack: str,
        protocol: str,
        psr_db: float | None,
        target: str | None,
        outcome: Outcome,
        others: Outcome | None = None,
    ) -> None:
        """Add the records of one outcome."""
        adversary = None if attack == "none" else attack
        for metric, estimate, label in self._figures(outcome, others):
            record = self._record(
                metric,
                estimate,
                image_class=label,
                adversary=adversary,
                protocol=protocol,
                psr_db=psr_db,
                target=target,
            )
            self.findings.records.append(record)
        highest = psr_db is None or psr_db == self.test.psrs_db[-1]
        if outcome.pictures is not None and len(outcome.pictures) and highest:
            key = f"bob/{self.test.system.name.label}/{attack}"
            self.findings.samples[key] = outcome.pictures.numpy()

    def floors(self, outcome: Outcome) -> None:
        """Add the floors of a receiver's metrics: the majority class, the best constant image."""
        known, found = self.splits.adversary, dict[str, tuple[Estimate, str]]()
        if outcome.answers is not None:
            right = self.labels == int(np.bincount(known.y).argmax())
            found["chance"] = _rate(right), "label"
        if outcome.quality:
            mean = torch.from_numpy(known.x.mean(0) / 255).float()
            originals = as_float(self.test.images)
            for metric in self.test.metrics:
                floor = image_floor(metric, mean, originals, self.setting.seed)
                found[metric.floors[0]] = floor, "image"
        self.findings.records += [
            self._record(name, estimate, target=target, role="system")
            for name, (estimate, target) in found.items()
        ]

    def certify(self, found: Certificate) -> None:
        """Add the accuracy of the vote, and the certified accuracy at each budget."""
        rows: list[tuple[str, float | None, Estimate]]
        rows = [("voted_accuracy", None, found.accuracy(-math.inf))]
        rows += [("certified_accuracy", psr_db, found.accuracy(psr_db)) for psr_db in _CERTIFIED_DB]
        self.findings.records += [
            self._record(metric, estimate, psr_db=psr_db) for metric, psr_db, estimate in rows
        ]

    def flag(self, with_gradient: set[str]) -> None:
        """Add the flags that the attacks raise: a bad gradient, budgets that leave nothing."""
        table = [
            r
            for r in self.findings.records
            if r.metric == "accuracy" and r.image_class is None and r.adversary
        ]
        left = {
            psr_db: {
                kind: [
                    r
                    for r in table
                    if r.psr_db == psr_db and (r.adversary in with_gradient) is kind
                ]
                for kind in (True, False)
            }
            for psr_db in self.test.psrs_db
        }
        found = {}
        compared = [each for each in left.values() if each[True] and each[False]]
        # Behind a key, attacks with gradients have those of another key.
        if compared and not self.test.system.keyed:
            found["flag_gradient_masked"] = any(
                min(r.ci_high or r.value for r in each[False])
                < min(r.ci_low or 0.0 for r in each[True])
                for each in compared
            )
        if any(r.adversary in with_gradient for r in table):
            found["flag_gradient_zero"] = self.test.gradient_is_zero()
        if table and not self.test.system.differentiable:
            found["flag_no_gradient"] = True
        if table:
            strongest = [
                min(r.value for kind in each.values() for r in kind) for each in left.values()
            ]
            found["flag_saturated"] = max(strongest) <= _NOTHING
        for metric, raised in found.items():
            value = float(raised)
            estimate = Estimate(value, value, value, table[0].n)
            self.findings.records.append(self._record(metric, estimate, role="system"))

    def _figures(
        self, outcome: Outcome, others: Outcome | None
    ) -> Iterator[tuple[str, Estimate, int | None]]:
        """Yield metrics of all images, then of those of each class, beside the class."""
        answers = outcome.answers
        if answers is not None:
            for name, rate in self._rates(answers, None if others is None else others.answers):
                yield name, rate, None
        if outcome.accepted is not None:
            right = None if answers is None else answers == self.labels
            for name, rate in integrity(outcome.accepted, right).items():
                yield name, rate, None
        yield from self._quality(outcome, slice(None), None)
        for label in range(self.splits.n_classes):
            of = self.labels == label
            if of.any():
                if answers is not None:
                    yield "accuracy", _rate(answers[of] == label), label
                yield from self._quality(outcome, of, label)

    def _rates(self, answers: Tensor, others: Tensor | None) -> Iterator[tuple[str, Estimate]]:
        right = answers == self.labels
        attacked, wanted = self.test.settings.source_class, self.test.settings.target_class
        if others is not None:
            yield "accuracy_targeted", _rate(right)
            yield "accuracy_others", _rate(others == self.labels)
        else:
            yield "accuracy", _rate(right)
            if attacked is not None:
                of = self.labels == attacked
                yield from _rate_of("accuracy_targeted", right[of])
                yield from _rate_of("accuracy_others", right[~of])
        if wanted is not None:
            of = self.labels != wanted if attacked is None else self.labels == attacked
            yield from _rate_of("misleading_rate", answers[of] == wanted)

    def _quality(
        self, outcome: Outcome, of: Tensor | slice, label: int | None
    ) -> Iterator[tuple[str, Estimate, int | None]]:
        for name, values in outcome.quality.items():
            yield name, bootstrap_mean(values[of], self.setting.seed), label

    def _record(self, metric: str, estimate: Estimate, **fields: Any) -> Record:
        uses, source = self.test.uses, self.test.source_dim
        return Record.of(
            self.test.system.name,
            estimate,
            study=self.setting.study,
            dataset=self.splits.name,
            channel=self.setting.bob.name,
            train_snr_db=self.setting.train_snr_db,
            test_snr_db=self.test.snr_db,
            latent_dim=2 * uses,
            bandwidth_ratio=uses / source,
            # Of the asymmetries against eavesdroppers, only a key protects against Mallory.
            asymmetry="key" if self.test.system.asymmetry == "key" else None,
            metric=metric,
            seed=self.setting.seed,
            **{"role": "bob", **fields},
        )


def _rate(right: Tensor) -> Estimate:
    return wilson(int(right.sum()), len(right))


def _rate_of(metric: str, right: Tensor) -> Iterator[tuple[str, Estimate]]:
    # The first test images may contain none of a class.
    if len(right):
        yield metric, _rate(right)


def _silent(stage: str, done: int, total: int) -> None:
    pass
