"""Records of an adaptation as curves: accuracy and cost against the steps of what learned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from scipy.stats import t as student


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return the points of all learning curves.

    Args:
        table: Frame of records, whose params are ``shift``, ``part`` and ``steps``.

    Returns:
        One row per change, arm, steps and seed, in the records' order: ``dataset``, ``shift``,
        ``arm``, ``steps``, ``seed``, ``accuracy``, ``ci_low``, ``ci_high``, ``n`` and ``flops``.

    Example:
        >>> from semveil.records import Record
        >>> from semveil.report.select import frame
        >>> point = dict(scheme="deepjscc", dataset="mnist", channel="awgn/perfect", n=100, seed=0,
        ...     params={"shift": "noise", "part": "all", "steps": 20})
        >>> both = [Record(role="bob", metric="accuracy", value=0.9, **point),
        ...     Record(role="system", metric="training_flops", value=1e9, **point)]
        >>> curves(frame(both))[["shift", "arm", "steps", "accuracy", "flops"]].values.tolist()
        [['noise', 'all', 20, 0.9, 1000000000.0]]
    """
    points = table.rename(
        columns={"params.shift": "shift", "params.part": "arm", "params.steps": "steps"}
    )
    points = points[points["steps"].notna()].astype({"steps": int})
    keys = ["dataset", "shift", "arm", "steps", "seed"]
    rated = points[points["metric"] == "accuracy"].rename(columns={"value": "accuracy"})
    spent = points[points["metric"] == "training_flops"].rename(columns={"value": "flops"})
    rated = rated[[*keys, "accuracy", "ci_low", "ci_high", "n"]]
    return rated.merge(spent[[*keys, "flops"]], on=keys, how="left", validate="one_to_one")


@dataclass(frozen=True)
class Difference:
    """A difference of two arms' accuracies with the same seeds.

    Attributes:
        value: Mean over the seeds.
        low: Lower end of Student's 95 % interval over the seeds; NaN with one seed.
        high: Upper end of it.
    """

    value: float
    low: float
    high: float


def difference(arm: pd.DataFrame, other: pd.DataFrame) -> Difference:
    """Return how far one arm's accuracies lie above another's, seed by seed.

    Seeds share test images, training images and the channel's draws between the arms, so the
    differences are paired.

    Args:
        arm: Points of an arm, one per seed.
        other: Points of another, of the same seeds.

    Example:
        >>> one = pd.DataFrame({"seed": [0, 1], "accuracy": [0.9, 0.8]})
        >>> two = pd.DataFrame({"seed": [1, 0], "accuracy": [0.6, 0.7]})
        >>> round(difference(one, two).value, 3)
        0.2
    """
    gaps = arm.set_index("seed")["accuracy"] - other.set_index("seed")["accuracy"]
    mean, n = float(gaps.mean()), len(gaps)
    if n < 2:
        return Difference(mean, math.nan, math.nan)
    half = float(student.ppf(0.975, n - 1) * gaps.std(ddof=1) / math.sqrt(n))
    return Difference(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Verdict:
    """What one arm had after a share of the cost of starting anew.

    Attributes:
        arm: What learned.
        steps: Its last stop within that share.
        share: What it had spent by then, over what starting anew costs in all.
        step_cost: Cost of its steps over that of starting anew.
        accuracies: Its accuracy by then, one per seed.
        at_cost: Against the first stop of starting anew that cost no less.
        at_end: Against the best end of starting anew.
    """

    arm: str
    steps: int
    share: float
    step_cost: float
    accuracies: tuple[float, ...]
    at_cost: Difference
    at_end: Difference


def verdicts(
    points: pd.DataFrame, share: float, anew: Sequence[str] = ("scratch", "retrained")
) -> list[Verdict]:
    """Compare every arm of one change with starting anew, at equal cost and at its best end.

    Args:
        points: What :func:`curves` returns, of one data set and change.
        share: Largest share of the whole cost of starting anew that an arm may spend.
        anew: The arms that start anew; the first has stops like the others.

    Returns:
        One verdict per other arm, in the points' order.
    """
    scratch = points[points["arm"] == anew[0]]
    most = int(points["steps"].max())
    ends = [points[(points["arm"] == arm) & (points["steps"] == most)] for arm in anew]
    # Whichever ends higher: the claim is held against the best that starting anew gave.
    end = max(ends, key=lambda found: float(found["accuracy"].mean()))
    whole = float(end["flops"].iloc[0])
    found = []
    for arm in points["arm"].drop_duplicates():
        if arm in anew:
            continue
        mine = points[points["arm"] == arm]
        step = int(mine.loc[mine["flops"] <= share * whole, "steps"].max())
        then = mine[mine["steps"] == step]
        spent = float(then["flops"].iloc[0])
        dearer = int(scratch.loc[scratch["flops"] >= spent, "steps"].min())
        last = mine[mine["steps"] == most]
        found.append(
            Verdict(
                arm,
                step,
                spent / whole,
                float(last["flops"].iloc[0]) / whole,
                tuple(then["accuracy"]),
                difference(then, scratch[scratch["steps"] == dearer]),
                difference(then, end),
            )
        )
    return found
