"""How fast a link adapts: accuracy against steps, or against what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import BLACK, CYCLE, GUESSING, styled
from semveil.report.select import where

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
    """Draw the mean accuracy over the seeds with its standard deviation, a panel per change.

    Args:
        points: What :func:`semveil.papers.work.adaptation.curves` returns, of one data set.
        chance: What guessing reaches after each change.
        against: What lies on the horizontal axis; its zero is drawn, the rest logarithmically.
        anew: The arms that start anew; they are black.

    Returns:
        The figure.

    Example:
        >>> points = pd.DataFrame({"shift": "noise", "arm": "all", "steps": [0, 10], "seed": 0,
        ...     "accuracy": [0.5, 0.9], "flops": [0.0, 1e9]})
        >>> len(learning_curves(points, {"noise": 0.1}, "flops").axes)
        1
    """
    from matplotlib.lines import Line2D

    arms = list(dict.fromkeys(points["arm"]))
    colours = dict(zip((arm for arm in arms if arm not in anew), CYCLE, strict=False))
    styles: dict[str, dict[str, Any]] = {
        arm: {"color": colour, "marker": "o"} for arm, colour in colours.items()
    }
    styles |= {
        arm: {"color": BLACK, "marker": marker, "linestyle": "--"}
        for arm, marker in zip(anew, "s*", strict=True)
    }
    scale = 1e9 if against == "flops" else 1
    shifts = list(dict.fromkeys(points["shift"]))
    figure, axes = panels(len(shifts), columns=3)
    for place, shift in zip(axes, shifts, strict=True):
        place.set_title(shift)
        place.axhline(chance[shift], **GUESSING)
        for arm in arms:
            found = where(points, shift=shift, arm=arm).groupby("steps")
            x = found[against].mean() / scale
            place.errorbar(
                x,
                found["accuracy"].mean(),
                found["accuracy"].std(ddof=1).fillna(0),
                elinewidth=1,
                capsize=2,
                **styles[arm],
            )
        first = points.loc[points[against] > 0, against].min() / scale
        place.set_xscale("symlog", linthresh=first, linscale=0.5)
        place.xaxis.set_major_formatter("{x:g}")
        place.set_ylim(0, 1.03)
        place.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    entries = [Line2D([], [], label=arm, **styles[arm]) for arm in arms]
    entries.append(Line2D([], [], label="guessing", **GUESSING))
    arrange(
        figure, axes, width=2.4, height=1.9, x=AXES[against], y="Bob’s accuracy", entries=entries
    )
    return figure
