"""Learning curves, drawn."""

from __future__ import annotations

import pandas as pd
import pytest

from semveil.report.figures.adaptation import learning_curves

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
