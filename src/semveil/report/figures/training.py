"""How the losses fell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import CYCLE, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 300


@styled
def training_curves(history: Iterable[Mapping[str, Any]]) -> Figure:
    """Draw every loss against the step, one panel per stage of the training.

    Args:
        history: Lines of a run's ``history.jsonl``: ``step``, ``stage`` and losses by name.

    Returns:
        The figure; a scale is logarithmic where a loss falls by more than a factor of 30.

    Example:
        >>> len(training_curves([{"step": 0, "stage": "link", "loss": 2.3}]).axes)
        1
    """
    from matplotlib.lines import Line2D

    stages: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for line in history:
        # Words beside the stage, such as a scheme's name, tell one training from another.
        words = [str(value) for key, value in line.items() if isinstance(value, str) and value]
        curves = stages.setdefault(" · ".join(words), {})
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float) and np.isfinite(value):
                curves.setdefault(name, []).append((line["step"], value))
    names = list(dict.fromkeys(name for curves in stages.values() for name in curves))
    colours = {name: CYCLE[number % len(CYCLE)] for number, name in enumerate(names)}
    figure, axes = panels(len(stages), columns=3)
    for place, (title, curves) in zip(axes, stages.items(), strict=True):
        place.set_title(title)
        for name, points in curves.items():
            steps, values = np.array(points).T
            every = -(-len(steps) // MOST_POINTS)
            place.plot(steps[::every], values[::every], color=colours[name], linewidth=1.2)
        values = np.array([value for points in curves.values() for _, value in points])
        if values.size and values.min() > 0 and values.max() > 30 * values.min():
            place.set_yscale("log")
            place.yaxis.set_major_formatter("{x:g}")
            place.yaxis.set_minor_formatter("")
    entries = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
    arrange(figure, axes, width=2.3, height=1.5, x="step", y="loss", entries=entries, shared=False)
    return figure
