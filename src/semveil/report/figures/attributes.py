"""Accuracy of systems on several attributes, beside what naming the majority gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from semveil.report.figures.layout import LETTER, arrange, panels
from semveil.report.figures.style import BLUE, FAINT, GREY, GUESSING, VERMILLION, styled
from semveil.report.select import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Metric → name, marker, colour, and how far above or below its line a point lies.
_DRAWN = {
    "accuracy": ("top-1", "o", BLUE, -0.15),
    "balanced_accuracy": ("balanced", "D", VERMILLION, 0.15),
}


@styled
def by_attribute(
    frame: pd.DataFrame, published: Mapping[tuple[str, str], float] | None = None
) -> Figure:
    """Draw accuracy and balanced accuracy of every system, one panel per attribute.

    Args:
        frame: Records of Bob and of guessing, with columns ``system`` and ``attribute``.
        published: Top-1 accuracy in a paper, by system and attribute.

    Returns:
        The figure: means over seeds, intervals that span those of all seeds; the dotted line is
        naming the most frequent class.

    Example:
        >>> row = {"system": "dp", "attribute": "Smiling", "role": "bob", "metric": "accuracy",
        ...     "value": 0.8, "ci_low": 0.7, "ci_high": 0.9}
        >>> len(by_attribute(pd.DataFrame([row])).axes)
        1
    """
    from matplotlib.lines import Line2D

    bob = where(frame, role="bob")
    systems = list(dict.fromkeys(bob["system"]))
    attributes = list(dict.fromkeys(bob["attribute"]))
    figure, axes = panels(len(attributes), columns=3)
    for place, attribute in zip(axes, attributes, strict=True):
        for line, system in enumerate(systems):
            for metric, (_, marker, colour, shift) in _DRAWN.items():
                rows = where(bob, system=system, attribute=attribute, metric=metric)
                if rows.empty:
                    continue
                mean, low, high = (
                    100 * rows["value"].mean(),
                    100 * rows["ci_low"].min(),
                    100 * rows["ci_high"].max(),
                )
                place.errorbar(
                    mean,
                    line + shift,
                    xerr=[[mean - low], [high - mean]],
                    color=colour,
                    marker=marker,
                    elinewidth=1,
                )
            if published and (system, attribute) in published:
                place.plot(100 * published[system, attribute], line, "x", color=FAINT)
        for rate in where(frame, metric="chance", attribute=attribute)["value"].unique()[:1]:
            place.axvline(100 * rate, **GUESSING)
        place.set_title(attribute)
        place.set_yticks(range(len(systems)), systems)
        place.set_ylim(len(systems) - 0.5, -0.5)
        place.tick_params(labelcolor=GREY)
    entries = [
        Line2D([], [], color=colour, marker=marker, linestyle="", label=name)
        for name, marker, colour, _ in _DRAWN.values()
    ]
    entries.append(Line2D([], [], label="most frequent class", **GUESSING))
    if published:
        entries.append(Line2D([], [], color=FAINT, marker="x", linestyle="", label="published"))
    longest = max((len(system) for system in systems), default=0)
    arrange(
        figure,
        axes,
        width=2.3,
        height=0.32 * len(systems) + 0.2,
        x="Bob’s accuracy (%)",
        entries=entries,
        left=0.3 + LETTER * longest,
    )
    return figure
