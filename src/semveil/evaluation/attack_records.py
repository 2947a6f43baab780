"""Attacks on Bob as records: accuracy, misleading rate, selectivity and image quality."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor

from semveil.adversary.perturb.attack import Attack, Progress
from semveil.adversary.perturb.certify import Certificate
from semveil.adversary.perturb.registry import build
from semveil.adversary.perturb.semadv import SemAdv
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.evaluation.recorder import Findings
from semveil.evaluation.robustness import Outcome, RobustnessTest
from semveil.evaluation.system import Conditions, SystemUnderTest
from semveil.link import as_float
from semveil.metrics import Estimate, bootstrap_mean, wilson
from semveil.metrics.floors import image_floor
from semveil.recipe import AttackConfig as Settings
from semveil.records import Record

# From what the channel's noise hides to what no vote of a practicable size can certify.
_CERTIFIED_DB = tuple(float(level) for level in range(-60, -9, 2))


def check(settings: Settings, classes: int) -> None:
    """Refuse classes that Bob's task has not.

    Raises:
        SemveilError: If ``target`` or ``wrong`` is none of them, or both are the same.

    Example:
        >>> check(Settings(target=2), classes=10)
    """
    for name in ("target", "wrong"):
        chosen = getattr(settings, name)
        if chosen is not None and chosen >= classes:
            raise SemveilError(
                f"attack.{name}: there is no class {chosen}, they are 0 to {classes - 1}"
            )
    if settings.target is not None and settings.target == settings.wrong:
        raise SemveilError(f"attack.wrong: {settings.wrong} is the class that attack.target names")


def aim(settings: Settings) -> str | None:
    """Return what Mallory is after, as records carry it; None if any mistake will do.

    Example:
        >>> aim(Settings(target=2)), aim(Settings(wrong=5)), aim(Settings())
        ('class 2', 'to class 5', None)
    """
    parts = [] if settings.target is None else [f"class {settings.target}"]
    parts += [] if settings.wrong is None else [f"to class {settings.wrong}"]
    return " ".join(parts) or None


def prepare(
    system: SystemUnderTest,
    splits: ImageSplits,
    setting: Conditions,
    settings: Settings,
    device: torch.device,
    progress: Progress | None = None,
) -> dict[str, Attack]:
    """Let attacks practise on a system, to be used on others; arguments as below."""
    field = RobustnessTest(system, splits, setting, settings, device)
    attacks: dict[str, Attack] = {name: build(name, settings) for name in settings.names}
    for attack in attacks.values():
        field.prepare(attack, progress or _silent)
    return attacks


def attack_system(
    system: SystemUnderTest,
    splits: ImageSplits,
    setting: Conditions,
    settings: Settings,
    device: torch.device,
    progress: Progress | None = None,
    pictures: int = 0,
    prepared: Mapping[str, Attack] | None = None,
    earlier: Mapping[str, Attack] | None = None,
) -> Findings:
    """Attack Bob with every attack of the settings, at every budget.

    Whatever is trained, is trained on the adversary's images, against the system as it is.

    Args:
        system: What is attacked.
        splits: Everybody's images.
        setting: Bob's channel, his SNR in training, seed.
        settings: Attacks, budgets, effort.
        device: Where everything is computed.
        progress: Told ``(what is going on, done, in all)``.
        pictures: Test images kept, under each attack at the highest budget:
            ``bob/<system>/<attack>``, and ``none`` without one.
        prepared: Attacks that have practised on another link, by name; the others of the settings
            are left out. Their records' protocol is ``paper``: nobody trained them anew.
        earlier: Attacks that have practised on another link and practise on this one too, by name.

    Returns:
        Records and sample pictures.

    Raises:
        SemveilError: If Bob cannot be attacked, or a class is not there.
    """
    check(settings, splits.n_classes)
    progress = progress or _silent
    field = RobustnessTest(system, splits, setting, settings, device, pictures)
    report = _Report(field, splits, setting)
    undisturbed = field.undisturbed()
    report.write("none", "none", None, None, undisturbed)
    report.floors(bool(undisturbed.quality))
    if settings.votes:
        report.certify(field.certificates(progress))
    protocol = "adaptive" if prepared is None else "paper"
    for name in settings.names if prepared is None else prepared:
        attack = build(name, settings) if prepared is None else prepared[name]
        if earlier is not None and name in earlier:
            attack = deepcopy(earlier[name])
        if not field.can(attack):
            continue
        if prepared is None:
            field.prepare(attack, progress)
        if isinstance(attack, SemAdv) and settings.target is None and settings.wrong is None:
            # Every image is hit once as one of the class aimed at, and once as an innocent one.
            hit = field.aimed(attack, lambda labels: labels)
            spared = field.aimed(attack, lambda labels: (labels + 1) % splits.n_classes)
            for psr_db, struck, missed in zip(field.psrs_db, hit, spared, strict=True):
                report.write(name, protocol, psr_db, "each class", struck, missed)
            continue
        outcomes = field.under(attack, progress)
        for psr_db, outcome in zip(field.psrs_db, outcomes, strict=True):
            report.write(name, protocol, psr_db, aim(settings), outcome)
    return report.findings


class _Report:
    """Turns outcomes into records."""

    def __init__(self, field: RobustnessTest, splits: ImageSplits, setting: Conditions) -> None:
        self.field, self.setting = field, setting
        self.labels, self.dataset = field.labels, splits.name
        self.classes = splits.n_classes
        self.findings = Findings()

    def write(
        self,
        attack: str,
        protocol: str,
        psr_db: float | None,
        target: str | None,
        outcome: Outcome,
        innocent: Outcome | None = None,
    ) -> None:
        """Add the records of one outcome.

        Args:
            attack: Its name; ``none`` without one.
            protocol: ``adaptive``, ``paper`` or ``none``.
            psr_db: Budget, dB.
            target: What Mallory is after.
            outcome: Of images that are aimed at, where an attack is aimed at each class.
            innocent: Of the same images, another class being aimed at.
        """
        adversary = None if attack == "none" else attack
        for metric, estimate in self._figures(outcome, innocent):
            record = self._record(
                metric,
                estimate,
                adversary=adversary,
                protocol=protocol,
                psr_db=psr_db,
                target=target,
            )
            self.findings.records.append(record)
        highest = psr_db is None or psr_db == self.field.psrs_db[-1]
        if outcome.pictures is not None and len(outcome.pictures) and highest:
            key = f"bob/{self.field.system.name.label}/{attack}"
            self.findings.samples[key] = outcome.pictures.numpy()

    def floors(self, rebuilds: bool) -> None:
        """Add what a receiver reaches who receives nothing: majority class, best constant image."""
        mine, nobody = self.field.mine, {"adversary": None, "protocol": "none"}
        right = self.labels == int(np.bincount(mine.y).argmax())
        found = {"chance": (_rate(right), "label")}
        if rebuilds:
            mean = torch.from_numpy(mine.x.mean(0) / 255).float()
            originals = as_float(self.field.images)
            for metric in self.field.metrics:
                floor = image_floor(metric, mean, originals, self.setting.seed)
                found[metric.floors[0]] = floor, "image"
        self.findings.records += [
            self._record(name, estimate, target=target, role="system", **nobody)
            for name, (estimate, target) in found.items()
        ]

    def certify(self, found: Certificate) -> None:
        """Add what is certified: of the vote itself, and at budgets that nobody can break."""
        nobody: dict[str, Any] = {"adversary": None, "protocol": "none", "target": None}
        rows: list[tuple[str, float | None, Estimate]]
        rows = [("voted_accuracy", None, found.accuracy(-math.inf))]
        rows += [("certified_accuracy", psr_db, found.accuracy(psr_db)) for psr_db in _CERTIFIED_DB]
        self.findings.records += [
            self._record(metric, estimate, psr_db=psr_db, **nobody)
            for metric, psr_db, estimate in rows
        ]

    def _figures(
        self, outcome: Outcome, innocent: Outcome | None
    ) -> Iterator[tuple[str, Estimate]]:
        right = outcome.answers == self.labels
        wanted = self.field.settings
        if innocent is not None:
            yield "accuracy_targeted", _rate(right)
            yield "accuracy_others", _rate(innocent.answers == self.labels)
        else:
            yield "accuracy", _rate(right)
            if wanted.target is not None:
                of = self.labels == wanted.target
                yield from _rate_of("accuracy_targeted", right[of])
                yield from _rate_of("accuracy_others", right[~of])
        if wanted.wrong is not None:
            of = self.labels != wanted.wrong
            if wanted.target is not None:
                of = self.labels == wanted.target
            yield from _rate_of("misleading_rate", outcome.answers[of] == wanted.wrong)
        yield from self._quality(outcome, slice(None), "")
        for label in range(self.classes):
            of = self.labels == label
            if of.any():
                yield f"accuracy_class_{label}", _rate(right[of])
                yield from self._quality(outcome, of, f"_class_{label}")

    def _quality(
        self, outcome: Outcome, of: Tensor | slice, where: str
    ) -> Iterator[tuple[str, Estimate]]:
        for name, values in outcome.quality.items():
            yield f"{name}{where}", bootstrap_mean(values[of], self.setting.seed)

    def _record(self, metric: str, estimate: Estimate, **fields: Any) -> Record:
        uses, source = self.field.uses, self.field.source_dim
        return Record.of(
            self.field.system.name,
            estimate,
            study=self.setting.study,
            dataset=self.dataset,
            channel=self.setting.bob.name,
            train_snr_db=self.setting.train_snr_db,
            test_snr_db=self.field.snr_db,
            latent_dim=2 * uses,
            bandwidth_ratio=uses / source,
            # What protects against who listens keeps nothing from Mallory, but for a key.
            asymmetry="key" if self.field.system.asymmetry == "key" else None,
            metric=metric,
            seed=self.setting.seed,
            **{"role": "bob", **fields},
        )


def _rate(right: Tensor) -> Estimate:
    return wilson(int(right.sum()), len(right))


def _rate_of(metric: str, right: Tensor) -> Iterator[tuple[str, Estimate]]:
    # The first test images may hold none of a class: then there is nothing to say of it.
    if len(right):
        yield metric, _rate(right)


def _silent(stage: str, done: int, total: int) -> None:
    pass
