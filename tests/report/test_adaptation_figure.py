"""Learning curves and their comparison."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
from scipy import stats

from semveil.records import Record
from semveil.report.adaptation import curves, difference, verdicts
from semveil.report.figures.adaptation import learning_curves
from semveil.report.select import frame

SEEDS = (0, 1, 2)


def points(arm: str, cost: float, accuracies: dict[int, tuple[float, ...]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"shift": "x", "arm": arm, "steps": s, "seed": n, "accuracy": a, "flops": s * cost}
            for s, row in accuracies.items()
            for n, a in zip(SEEDS, row, strict=True)
        ]
    )


CURVES = pd.concat(
    [
        points("bob", 1.0, {0: (0.5,) * 3, 10: (0.90, 0.91, 0.92), 100: (0.95,) * 3}),
        points("all", 4.0, {0: (0.5,) * 3, 10: (0.7, 0.6, 0.5), 100: (0.99,) * 3}),
        points("scratch", 4.0, {0: (0.1,) * 3, 10: (0.2, 0.3, 0.1), 100: (0.91,) * 3}),
        points("retrained", 4.0, {100: (0.92, 0.91, 0.93)}),
    ]
)


def test_the_interval_is_that_of_students_paired_test() -> None:
    one, two = (0.9, 0.85, 0.93), (0.8, 0.84, 0.79)
    found = difference(points("a", 1, {1: one}), points("b", 1, {1: two}).iloc[::-1])
    expected = stats.ttest_rel(one, two).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.value == pytest.approx(sum(one) / 3 - sum(two) / 3)


def test_one_seed_has_no_interval() -> None:
    one = points("a", 1, {1: (0.5, 0.5, 0.5)}).head(1)
    assert math.isnan(difference(one, one).low)


def test_an_arm_is_compared_at_no_more_than_its_share_of_the_cost() -> None:
    bob, everything = verdicts(CURVES, 0.1)
    # A tenth of 400 is 40: Bob's ten steps cost 10, his hundred too much; all's ten exactly 40.
    assert (bob.arm, bob.steps, bob.share, bob.step_cost) == ("bob", 10, 0.025, 0.25)
    assert (everything.arm, everything.steps, everything.share) == ("all", 10, 0.1)
    assert bob.accuracies == (0.90, 0.91, 0.92)
    # What costs scratch no less than 10 is its ten steps; at its end the falling rate is better.
    assert bob.at_cost.value == pytest.approx(0.71)
    assert bob.at_end.value == pytest.approx(-0.01)
    assert everything.at_cost.value == pytest.approx(0.4)


def test_starting_anew_counts_at_its_best_end() -> None:
    worse = CURVES[CURVES["arm"] != "retrained"]
    worse = pd.concat([worse, points("retrained", 4.0, {100: (0.5,) * 3})])
    assert verdicts(worse, 0.1)[0].at_end.value == pytest.approx(0.0)


def test_curves_are_read_from_records_alone() -> None:
    def record(params: dict[str, Any], metric: str, value: float) -> Record:
        return Record(
            scheme="deepjscc", params=params or None, dataset="mnist", channel="awgn/perfect",
            role="bob", metric=metric, value=value, n=100, seed=7,
        )  # fmt: skip

    bob, both = ({"shift": "turned", "part": part} for part in ("bob", "all"))

    table = frame(
        [
            record({}, "accuracy", 0.99),
            record({"shift": "turned"}, "chance", 0.1),
            record(bob, "trained_parameters", 50),
            record({**bob, "steps": 10}, "accuracy", 0.8),
            record({**bob, "steps": 10}, "training_flops", 1e6),
            record({**both, "steps": 0}, "accuracy", 0.2),
            record({**both, "steps": 0}, "training_flops", 0),
        ]
    )
    found = curves(table)
    keys = ["dataset", "shift", "arm", "steps", "seed", "accuracy", "flops"]
    assert found[keys].values.tolist() == [
        ["mnist", "turned", "bob", 10, 7, 0.8, 1e6],
        ["mnist", "turned", "all", 0, 7, 0.2, 0.0],
    ]


@pytest.mark.parametrize("against", ["steps", "flops"])
def test_every_arm_is_drawn_at_its_mean(against: str) -> None:
    place = learning_curves(CURVES, {"x": 0.1}, against).axes[0]  # type: ignore[arg-type]
    drawn = [bars.lines[0] for bars in place.containers]
    assert len(drawn) == 4
    scale = 1e9 if against == "flops" else 1
    cost = {"bob": 1, "all": 4} if against == "flops" else {"bob": 1, "all": 1}
    for line, (arm, last) in zip(drawn, (("bob", 0.95), ("all", 0.99)), strict=False):
        assert line.get_xdata()[-1] == pytest.approx(100 * cost[arm] / scale)
        assert line.get_ydata()[1:] == pytest.approx([{"bob": 0.91, "all": 0.6}[arm], last])
