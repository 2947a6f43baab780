"""How fast a link adapts: accuracy against steps, or against what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd

from semveil.metrics import MAIN, metric_of
from semveil.report.figures.lines import Curve, Look, Panel, draw
from semveil.report.figures.style import styled
from semveil.report.looks import CYCLE, FLOOR, floor_entry
from semveil.report.select import where
from semveil.style import BLACK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AXES = {"steps": "steps", "flops": "training cost (GFLOP)"}


@styled
def learning_curves(
    points: pd.DataFrame,
    chance: dict[str, float],
    against: Literal["steps", "flops"],
    anew: Sequence[str] = ("scratch", "retrained"),
) -> Figure:
    """Draw the mean accuracy over the seeds with its standard deviation, a panel per change."""
    arms = [arm for arm in dict.fromkeys(points["arm"]) if arm not in anew]
    looks: dict[str, Look] = {
        arm: {"color": colour, "marker": "o"} for arm, colour in zip(arms, CYCLE, strict=False)
    }
    looks |= {
        arm: {"color": BLACK, "marker": marker, "linestyle": "--"}
        for arm, marker in zip(anew, "s*", strict=True)
        if arm in set(points["arm"])
    }
    scale = 1e9 if against == "flops" else 1
    drawn = []
    for shift in dict.fromkeys(points["shift"]):
        panel = Panel(shift, [], [(chance[shift], FLOOR)])
        for arm, look in looks.items():
            found = where(points, shift=shift, arm=arm).groupby("steps")
            mean, half = found["accuracy"].mean(), found["accuracy"].std(ddof=1).fillna(0)
            x = found[against].mean() / scale
            panel.curves.append(
                Curve(list(zip(x, mean, mean - half, mean + half, strict=True)), look)
            )
        drawn.append(panel)
    accuracy = metric_of(MAIN["label"])
    return draw(
        drawn,
        x=AXES[against],
        y=f"Bob’s {accuracy.label}",
        metric=accuracy,
        legend=[*looks.items(), floor_entry(accuracy)],
        size=(2.4, 1.9),
        scale="zero",
    )
