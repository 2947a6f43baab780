"""Curves with intervals on panels beside each other: every figure of a number against another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.metrics import Metric
from semveil.records import Estimate
from semveil.report.figures.layout import arrange, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

Look = dict[str, Any]
"""Options of matplotlib that a line is drawn with."""


@dataclass(frozen=True)
class Curve:
    """One line of a panel."""

    points: Sequence[tuple[float, float, float, float]]  # x, value, low, high; NaN is not drawn
    look: Look
    band: bool = False

    @classmethod
    def of(cls, points: Iterable[tuple[float, Estimate | None]], look: Look) -> Curve:
        """Return the curve of estimates by their place; None is left out."""
        return cls([(x, e.value, e.low, e.high) for x, e in points if e is not None], look)

    @classmethod
    def of_rows(cls, rows: pd.DataFrame, x: str, look: Look) -> Curve:
        """Return the curve of records by one of their fields."""
        rows = rows.sort_values(x)
        return cls(list(rows[[x, "value", "ci_low", "ci_high"]].itertuples(index=False)), look)


@dataclass
class Panel:
    """What one panel shows."""

    title: str = ""
    curves: list[Curve] = field(default_factory=list)
    levels: list[tuple[float, Look]] = field(default_factory=list)
    logarithmic: bool = False


def draw(
    drawn: Sequence[Panel],
    *,
    x: str,
    y: str = "",
    metric: Metric | None = None,
    legend: Iterable[tuple[str, Look]] = (),
    columns: int = 3,
    size: tuple[float, float] = (2.45, 1.7),
    scale: str = "linear",
    letters: int = 32,
    shared: bool = True,
    left: float = 0.75,
) -> Figure:
    """Draw panels."""
    figure, axes = panels(len(drawn), columns=columns)
    for place, panel in zip(axes, drawn, strict=True):
        place.set_title(
            "\n".join(line for part in panel.title.split("\n") for line in wrap(part, letters))
        )
        for value, look in panel.levels:
            place.axhline(value, **look)
        for curve in panel.curves:
            _curve(place, curve)
        _scale(place, panel, scale)
        if panel.logarithmic:
            place.set_yscale("log")
            place.yaxis.set_major_formatter("{x:g}")
            place.yaxis.set_minor_formatter("")
    if shared:
        limit(axes, metric)
    arrange(
        figure,
        axes,
        width=size[0],
        height=size[1],
        x=x,
        y=y or (metric.label if metric else ""),
        entries=entries(legend),
        shared=shared,
        left=left,
    )
    return figure


def _curve(place: Axes, curve: Curve) -> None:
    if not curve.points:
        return
    at, value, low, high = np.array(curve.points, float).T
    if curve.band:
        place.plot(at, value, **curve.look)
        place.fill_between(at, low, high, color=curve.look["color"], alpha=0.15, linewidth=0)
        return
    ends = np.nan_to_num([value - low, high - value]).clip(0)
    place.errorbar(at, value, ends, **{"elinewidth": 1, "capsize": 2, **curve.look})


def _scale(place: Axes, panel: Panel, scale: str) -> None:
    if scale == "linear":
        return
    known = sorted({point[0] for curve in panel.curves for point in curve.points})
    if scale == "octaves":
        place.set_xscale("log", base=2)
        place.set_xticks(known)
    elif scale == "zero":
        first = next((x for x in known if x > 0), 1.0)
        place.set_xscale("symlog", linthresh=first, linscale=0.5)
    else:
        place.set_xscale("log")
    place.xaxis.set_major_formatter("{x:g}")
    place.minorticks_off()


def limit(axes: Sequence[Axes], metric: Metric | None) -> None:
    """Give all panels the same vertical limits, and numbers in the metric's unit."""
    if not axes:
        return
    if metric is not None and metric.axis is not None:
        low, high = metric.axis
        high += 0.03 * (high - low)
    else:
        low = min(place.get_ylim()[0] for place in axes)
        high = max(place.get_ylim()[1] for place in axes)
    for place in axes:
        place.set_ylim(low, high)
        if metric is not None:
            unit(place.yaxis, metric)


def unit(axis: Any, metric: Metric) -> None:
    """Write the numbers of an axis in a metric's unit."""
    if metric.scale != 1:
        axis.set_major_formatter(lambda value, _: f"{metric.scale * value:g}")


def entries(legend: Iterable[tuple[str, Look]]) -> list[Line2D]:
    """Return the lines of a legend."""
    from matplotlib.lines import Line2D

    return [Line2D([], [], label=label, **look) for label, look in legend]
