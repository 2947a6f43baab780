"""The study of the private attribute: an Eve who fails without the game shows nothing."""

from __future__ import annotations

import pytest

from papers.numbers import row, table
from semveil.papers import PAPERS

PAPER = PAPERS.get("private-attribute")()


def judged(plain, hidden):
    """Return how often each verdict was found, by claim; Eve's chance is 25 %."""
    rows = []
    for seed in range(3):
        for weight, rate in ((0.0, plain), (1.0, hidden)):
            common = {"dataset": "colored-mnist", "scheme": "minmax", "seed": seed}
            common |= {"params.weight": weight, "params.eves": 1, "params.eve_steps": 4}
            common["params.bob"] = "label"
            eve = {"role": "eve", "protocol": "adaptive", "adversary": "inference/mlp"}
            score = {"metric": "balanced_accuracy", "target": "color"}
            rows.append(row(rate + 0.001 * seed, 0.005, **common, **eve, **score))
            floor = {"role": "system", "metric": "balanced_accuracy_floor", "target": "color"}
            rows.append(row(0.25, 0.0, **common, **floor))
            rows.append(row(0.97, 0.005, **common))
    return {
        one.claim.claim: {verdict: n for verdict, n in one.counts.items() if n}
        for one in PAPER.judge(table(*rows))
    }


@pytest.mark.parametrize(
    ("plain", "hidden", "lowers", "chance"),
    [
        (0.35, 0.25, {"confirmed": 1}, {"confirmed": 1}),
        (0.35, 0.34, {"confirmed": 1}, {"refuted": 1}),
        (0.25, 0.25, {"not judged": 1}, {"not judged": 1}),
    ],
)
def test_the_game_is_judged_where_eve_succeeds_without_it(plain, hidden, lowers, chance):
    found = judged(plain, hidden)
    assert found["The game lowers what a fresh Eve infers"] == lowers
    assert found["A fresh Eve gets no more than chance"] == chance
