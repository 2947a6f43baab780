"""How quantities grow with a number: measured points, and where a fitted law leads from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from semveil.report.figures.lines import Curve as Drawn
from semveil.report.figures.lines import Look, Panel, draw
from semveil.report.figures.style import styled
from semveil.report.looks import series
from semveil.style import GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Curve:
    """One quantity of one scheme."""

    title: str
    label: str
    measured: Sequence[tuple[float, float, float, float]]  # x, value, low, high
    fitted: Sequence[tuple[float, float, float, float]] = ()


@styled
def growth(curves: Sequence[Curve], x: str = "devices N") -> Figure:
    """Draw curves on logarithmic scales, one panel per title."""
    looks = series(curve.label for curve in curves)
    dashed: Look = {"linestyle": "--"}
    panels = {curve.title: Panel(curve.title, logarithmic=True) for curve in curves}
    for curve in curves:
        look = looks[curve.label]
        panels[curve.title].curves += [
            Drawn(curve.measured, look),
            Drawn(curve.fitted, {"color": look["color"], **dashed}, band=True),
        ]
    legend: list[tuple[str, Look]] = list(looks.items())
    if any(curve.fitted for curve in curves):
        legend.append(("fitted, not measured", {"color": GREY, **dashed}))
    return draw(
        list(panels.values()),
        x=x,
        legend=legend,
        columns=2,
        size=(3.4, 2.2),
        scale="log",
        shared=False,
    )
