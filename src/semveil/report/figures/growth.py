"""How quantities grow with a number: measured points, and where a fitted law leads from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import CYCLE, GREY, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "os^DvP"


@dataclass(frozen=True)
class Curve:
    """One quantity of one scheme.

    Attributes:
        title: Panel that it belongs to.
        label: Whose it is.
        measured: ``(x, value, low, high)``; drawn as points.
        fitted: The same of a fitted law; drawn as a dashed line without points.
    """

    title: str
    label: str
    measured: Sequence[tuple[float, float, float, float]]
    fitted: Sequence[tuple[float, float, float, float]] = ()


@styled
def growth(curves: Sequence[Curve], x: str = "devices N") -> Figure:
    """Draw curves on logarithmic scales, one panel per title.

    Args:
        curves: What is drawn.
        x: Name of the horizontal axes.

    Returns:
        The figure.
    """
    from matplotlib.lines import Line2D

    titles = list(dict.fromkeys(curve.title for curve in curves))
    labels = list(dict.fromkeys(curve.label for curve in curves))
    looks: dict[str, dict[str, Any]] = {
        label: {"color": CYCLE[n % len(CYCLE)], "marker": _MARKERS[n % len(_MARKERS)]}
        for n, label in enumerate(labels)
    }
    figure, axes = panels(len(titles), columns=2)
    for place, title in zip(axes, titles, strict=True):
        place.set_title(title)
        for curve in curves:
            if curve.title != title or not curve.measured:
                continue
            at, value, low, high = np.array(curve.measured, float).T
            ends = np.nan_to_num([value - low, high - value]).clip(0)
            place.errorbar(at, value, ends, elinewidth=1, capsize=2, **looks[curve.label])
            if curve.fitted:
                at, value, low, high = np.array(curve.fitted, float).T
                colour = looks[curve.label]["color"]
                place.plot(at, value, color=colour, linestyle="--")
                place.fill_between(at, low, high, color=colour, alpha=0.15, linewidth=0)
        place.set_xscale("log")
        place.set_yscale("log")
        place.minorticks_off()
    entries = [Line2D([], [], label=label, **look) for label, look in looks.items()]
    if any(curve.fitted for curve in curves):
        entries.append(Line2D([], [], color=GREY, linestyle="--", label="fitted, not measured"))
    arrange(figure, axes, width=3.4, height=2.2, x=x, entries=entries, shared=False)
    return figure
