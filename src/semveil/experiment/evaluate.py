"""``semveil.evaluate``: what Bob gets, what eavesdroppers get, and what attacks leave of a link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal

from semveil import recipe as recipes
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.perturb.attack import Attack
from semveil.data import load
from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.evaluation.api import attacks_of, check_images, eavesdroppers_of, levels_of
from semveil.evaluation.attack_records import attack_system
from semveil.evaluation.measure import audit_system
from semveil.evaluation.recorder import Progress
from semveil.evaluation.system import Conditions
from semveil.experiment.link import Link
from semveil.flags import FLAGS
from semveil.records import Record
from semveil.result import Result, Samples


def evaluate(
    link: Link,
    data: ImageSplits | str | None = None,
    *,
    eavesdroppers: Literal["standard"] | Sequence[Eavesdropper] | None = None,
    attacks: Sequence[Attack] = (),
    psr_db: Sequence[float] | None = None,
    snr_db: Sequence[float] | None = None,
    changes: recipes.Changes = (),
    progress: Progress | None = None,
) -> Result:
    """Measure a trained link: Bob, fresh eavesdroppers, and Bob under attacks.

    Args:
        link: A trained link.
        data: Images, from ``semveil.data.load`` or made by hand, or the name of a data set; those
            of its run if omitted. The link must not have been trained on the adversary's part.
        eavesdroppers: Eavesdroppers, such as ``[semveil.eavesdroppers.MLPInference()]``; those of
            the link's recipe if None, and ``semveil.eavesdroppers.standard()`` if ``"standard"``.
        attacks: Attacks on Bob, such as ``[semveil.attacks.PGD(steps=20)]``.
        psr_db: Their budgets, dB; those of the link's recipe if omitted.
        snr_db: SNRs of the test, dB, Bob's, Eve's and that of the attacks; those of the link's
            recipe if omitted, where attacks meet Bob at the SNR of his training.
        changes: Settings of ``audit`` and ``attack`` to change, such as
            ``{"audit.max_epochs": 10, "attack.images": 200}``.
        progress: Called with stage, steps done, steps in all.

    Returns:
        Records and arrays for pictures.

    Raises:
        SemveilError: If images or classes are not those of the link, or a setting does not fit.

    Example:
        >>> from semveil.data import load
        >>> from semveil.experiment.link import untrained
        >>> from semveil.recipe import Recipe
        >>> link = untrained("deepjscc", Recipe(scheme="deepjscc"), (1, 8, 8), 10, seed=0)
        >>> found = evaluate(link, load("digits"), snr_db=[10], changes={"audit.max_epochs": 1})
        >>> found.strongest("accuracy", 10).role
        'eve'
    """
    recipe = recipes.override(link.recipe, changes, only={"audit", "attack"})
    splits = link.run.splits if data is None and link.run is not None else data
    if splits is None:
        raise SemveilError("data: required, since this link was not trained in a run")
    if isinstance(splits, str):
        splits = load(splits)
    if not isinstance(splits, ImageSplits):
        raise SemveilError(
            f'data: expected semveil.data.load("digits") or another set of images, not '
            f"{type(splits).__name__}"
        )
    if splits.image_shape != link.image_shape or splits.n_classes != link.classes:
        raise SemveilError(
            f"data: {splits.name} has images {list(splits.image_shape)} of {splits.n_classes} "
            f"classes; the link takes {list(link.image_shape)} of {link.classes}"
        )
    check_images(splits)
    attacks = attacks_of(attacks)
    study = None if link.run is None else link.run.study
    conditions = Conditions.of(recipe, study, link.seed)
    attacked_at: tuple[float | None, ...] = (recipe.attack.snr_db,)
    if snr_db is not None:
        levels = attacked_at = levels_of(snr_db, "snr_db")
        conditions = replace(conditions, bob_snrs_db=levels, eve_snrs_db=levels)
    system, shown = link.under_test(), recipe.audit.pictures
    chosen = eavesdroppers_of(eavesdroppers)
    common = splits, conditions, recipe.audit, link.device, progress
    parts = [audit_system(system, *common, eavesdroppers=chosen)]
    for level in attacked_at if attacks else ():
        settings = recipe.attack.model_copy(update={"snr_db": level})
        if psr_db is not None:
            settings = settings.model_copy(update={"psr_db": list(levels_of(psr_db, "psr_db"))})
        parts.append(
            attack_system(
                system, splits, conditions, attacks, settings, link.device, progress, shown
            )
        )
    samples: Samples = {"originals": splits.test.x[:shown], "labels": splits.test.y[:shown]}
    for part in parts:
        samples |= part.samples
    records = joined([part.records for part in parts])
    return Result(records, samples, classes=splits.classes)


def joined(parts: Iterable[Sequence[Record]]) -> list[Record]:
    """Return the records of several measurements of one system, an audit's first.

    Beside the attacks, floors and Bob are measured again, on fewer images: these are left out.
    """
    records = list[Record]()
    for part in parts:
        known = {_key(record) for record in records} - {None}
        records += [record for record in part if _key(record) not in known]
    return records


def _key(record: Record) -> tuple[Any, ...] | None:
    """Return what tells floors and Bob without attack apart; None for all else."""
    # A flag holds for the SNR that it was raised at.
    if record.role == "system" and record.metric not in FLAGS:
        return record.metric, record.image_class, record.target
    if record.role == "bob" and record.adversary is None:
        return record.metric, record.image_class, record.test_snr_db
    return None
