"""All that a maintainer checks of an entry, on the fixed list of images."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from semveil.errors import SemveilError
from semveil.evaluation.attack_records import attack_system
from semveil.evaluation.measure import Progress, audit_system
from semveil.flags import FLAGS
from semveil.leaderboard.attacks import measure_attack
from semveil.leaderboard.entry import (
    RECORDS,
    STATED,
    AttackFacts,
    BoardEntry,
    LinkFacts,
    raised_flags,
    read_board,
    read_board_entry,
    refuse_lost_names,
)
from semveil.leaderboard.submission import Submission, open_submission
from semveil.leaderboard.suite import SUITE, Suite, list_digest, listed, quick
from semveil.metrics import Estimate, metric_of
from semveil.records import Record
from semveil.report.table import with_interval

# Of two independent 95 % intervals, a difference beyond both and this much more is no chance.
_APART = 1.7


@dataclass(frozen=True)
class Checked:
    """What a check found; it refuses what is wrong.

    Attributes:
        entry: The entry.
        lines: What was checked, one line each.
        records: What was measured on the fixed list.
    """

    entry: BoardEntry
    lines: list[str]
    records: list[Record]


def check(
    folder: str | Path, *, data: Path | None = None, progress: Progress | None = None
) -> Checked:
    """Check an entry: licence, digests, power, batch dependence, conventions, figures.

    Nothing in the entry is executed. Figures are measured again on the first 100 test images, whose
    digest is fixed.

    Args:
        folder: Folder of the entry, in the folder of the board.
        data: Folder of the data sets; ``SEMVEIL_DATA`` if omitted.
        progress: Called with stage, steps done, steps in all.

    Raises:
        SemveilError: If something is refused; the message names it.
    """
    entry, board = open_board(Path(folder))
    facts = entry.facts
    about = f"{facts.kind} by {', '.join(facts.authors)}, {facts.licence}"
    lines = [f"stated: {about}; digests are right"]
    if isinstance(facts, LinkFacts):
        submission = open_submission(entry, data)
        records = measure(submission, quick(), on_list=True, progress=progress)
        raised = _refuse_undeclared(entry, records)
        lines += [
            f"system: unit power, the same in every batch; {facts.channel}, bandwidth ratio "
            f"{facts.bandwidth_ratio:.4g}, {submission.parameters} parameters",
            f"flags: {', '.join(raised) or 'none'}",
        ]
    else:
        records = measure_attack(entry, board[facts.against], data)
        lines.append(f"tensors: of the {list_digest(facts.data)[:12]}… list, {_budget(facts)}")
    if entry.score is None:
        lines.append("figures: not scored yet")
    else:
        lines.append(f"figures: {_compare(entry, records)} measured again, within intervals")
    return Checked(entry, lines, records)


def open_board(folder: Path) -> tuple[BoardEntry, dict[str, BoardEntry]]:
    """Return an entry, and all entries of its board."""
    entry = read_board_entry(folder)
    board = read_board(folder.resolve().parent)
    refuse_lost_names(entry, board)
    return entry, board


def measure(
    submission: Submission, suite: Suite, *, on_list: bool, progress: Progress | None = None
) -> list[Record]:
    """Measure a system by a suite, on the fixed list or on all test images."""
    system, conditions = submission.system, submission.conditions
    splits = listed(submission.splits) if on_list else submission.splits
    device = torch.device("cpu")
    found = audit_system(
        system,
        splits,
        conditions,
        suite.audit,
        device,
        progress,
        eavesdroppers=suite.eavesdroppers,
    ).records
    settings = suite.attack.model_copy(update={"snr_db": conditions.bob_snrs_db[0]})
    attacked = attack_system(
        system, splits, conditions, suite.attacks, settings, device, progress
    ).records
    under = [each for each in attacked if each.adversary is not None or each.metric in FLAGS]
    weights = float(submission.parameters)
    estimate = Estimate(weights, weights, weights, 1)
    some = found[0]
    size = Record.of(
        system.name,
        estimate,
        role="system",
        metric="parameters",
        interval=False,
        **{key: getattr(some, key) for key in _SHARED},
    )
    return [each for each in [*found, *under, size] if each.image_class is None]


_SHARED = ("study", "dataset", "channel", "train_snr_db", "latent_dim", "bandwidth_ratio", "seed")


EFFORT = {"not_converged", "saturated"}
"""Flags of the audit's effort, not of the system."""


def _refuse_undeclared(entry: BoardEntry, records: Iterable[Record]) -> list[str]:
    raised = [name for name in raised_flags(records) if name not in EFFORT]
    for name in raised:
        if name not in entry.facts.flags:
            raise SemveilError(
                f"{entry.folder / STATED}: flags: {name} is raised and not stated: "
                f"{FLAGS[f'flag_{name}'].says}"
            )
    return raised


def _budget(facts: AttackFacts) -> str:
    if facts.psr_db is None:
        return "reconstructions nearer to their own images than to others"
    return f"every perturbation within {facts.psr_db:g} dB"


def _compare(entry: BoardEntry, records: Iterable[Record]) -> int:
    """Refuse figures of an entry that the list contradicts; return how many were compared."""
    score = entry.score
    assert score is not None
    where = entry.folder / RECORDS
    if score.facts.images != list_digest(entry.facts.data):
        raise SemveilError(f"{where}: scored with another list of images: score it again")
    if score.facts.suite != SUITE:
        raise SemveilError(
            f"{where}: scored by suite {score.facts.suite}; the suite is {SUITE} now: score it "
            "again"
        )
    stated = {_key(each): each for each in score.records}
    compared = 0
    for again in _figures(records):
        known = stated.get(_key(again))
        if known is None:
            raise SemveilError(f"{where}: {_named(again)} is missing: score it again")
        compared += 1
        if abs(known.value - again.value) > _APART * math.hypot(_half(known), _half(again)):
            metric = metric_of(again.metric)
            ours = Estimate(again.value, again.ci_low or 0.0, again.ci_high or 0.0, again.n)
            raise SemveilError(
                f"{where}: {_named(again)} is {metric.format(known.value)} {metric.unit} there, "
                f"and {with_interval(ours, metric)} measured again on {again.n} images"
            )
    return compared


def _figures(records: Iterable[Record]) -> Iterator[Record]:
    """Yield what has an interval and is no tail: the figures of Bob and of an Eve."""
    for each in records:
        if each.ci_low is not None and each.role in ("bob", "eve") and "_p" not in each.metric:
            yield each


def _key(record: Record) -> tuple[object, ...]:
    names = ("role", "adversary", "metric", "target", "test_snr_db", "psr_db", "protocol")
    return tuple(getattr(record, name) for name in names)


def _named(record: Record) -> str:
    who = f" ({record.adversary})" if record.adversary else ""
    return f"{record.metric} of {record.role.capitalize()}{who}"


def _half(record: Record) -> float:
    low, high = record.ci_low, record.ci_high
    if low is None or high is None:
        return 0.0
    return max(high - record.value, record.value - low)
