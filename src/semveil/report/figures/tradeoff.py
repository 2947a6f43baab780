"""Privacy against utility: what Eve gets beside what Bob gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import FAINT, GREY, GUESSING, palette, styled
from semveil.report.summary import Measure, Row, rows
from semveil.report.table import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

MOST_NAMED = 15
MARKERS = ("o", "s", "D", "v", "P", "X")


@styled
def privacy_utility(frame: pd.DataFrame, *, colours: Mapping[str, str] | None = None) -> Figure:
    """Draw Bob's accuracy against the strongest fresh Eve's, both at Bob's SNR.

    A hollow marker is the paper's Eve; an arrow leads from her to the fresh one. On the diagonal
    Eve gets what Bob gets; the best place is up and left, on the line of chance. Of several latent
    dimensions, the larger has the larger marker.

    Args:
        frame: Frame of records.
        colours: Colour of each system (see `palette`).

    Returns:
        The figure, with a panel for each dataset or other setting.
    """
    found = [row for row in rows(frame) if row.bob_accuracy and (row.eve_fresh or row.eve_paper)]
    powers = {(row.system, row.psr_db) for row in found}
    single = {system for system, _ in powers if sum(system == other for other, _ in powers) == 1}
    # A PSR is worth naming only where a system has several.
    found = [replace(row, psr_db=None) if row.system in single else row for row in found]
    colours = colours or palette(frame)
    settings: dict[str, list[Row]] = {}
    for row in found:
        settings.setdefault(_title(row, found), []).append(row)
    markers, sizes = _markers(found), _sizes(found)
    figure, axes = panels(len(settings), columns=2)
    for place, (title, group) in zip(axes, settings.items(), strict=True):
        place.set_title(title)
        _background(place, group)
        for row in group:
            _system(place, row, colours[row.system], markers[row.name], sizes[_dimension(row)])
        place.set(xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
        for axis in (place.xaxis, place.yaxis):
            axis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    arrange(
        figure,
        axes,
        width=3.7,
        height=3.7,
        x="Eve’s accuracy",
        y="Bob’s accuracy",
        entries=_entries(found, colours, markers),
        gap=0.4,
    )
    return figure


def _title(row: Row, found: list[Row]) -> str:
    """What sets the row's panel apart from the others; its data and channel if nothing does."""
    mine = dict(row.condition)
    others = [dict(other.condition) for other in found]
    keys = [key for key in mine if key not in {"latent_dim", "seed"}]
    varying = [key for key in keys if len({str(other[key]) for other in others}) > 1]
    return heading((key, mine[key]) for key in varying or ("dataset", "channel"))


def _dimension(row: Row) -> float:
    number = dict(row.condition)["latent_dim"]
    return 0.0 if pd.isna(number) else float(number)


def _sizes(found: list[Row]) -> dict[float, float]:
    """The larger the latent dimension, the larger the marker."""
    dimensions = sorted({_dimension(row) for row in found})
    if len(dimensions) == 1:
        return {dimensions[0]: 6.5}
    return {
        number: 4 + 5 * place / (len(dimensions) - 1) for place, number in enumerate(dimensions)
    }


def _markers(found: list[Row]) -> dict[str, str]:
    """Controls and variants have nearly their scheme's colour, so each has its own marker."""
    names = {row.name for row in found}
    if len(names) > MOST_NAMED:
        return dict.fromkeys(names, "o")
    taken: dict[str, int] = {}
    markers: dict[str, str] = {}
    for row in found:
        if row.name not in markers:
            markers[row.name] = MARKERS[taken.get(row.scheme, 0) % len(MARKERS)]
            taken[row.scheme] = taken.get(row.scheme, 0) + 1
    return markers


def _background(place: Axes, group: list[Row]) -> None:
    place.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    place.fill_between([0, 1], [0, 1], color="#f1f3f5", zorder=0)
    place.text(0.97, 0.05, "Eve gets more than Bob", ha="right", color=GREY, fontsize=8.5)
    for chance in {row.chance for row in group if row.chance is not None}:
        place.axvline(chance, **GUESSING)
        place.axhline(chance, **GUESSING)


def _system(place: Axes, row: Row, colour: str, marker: str, size: float) -> None:
    assert row.bob_accuracy is not None
    y = row.bob_accuracy
    for eve, face in ((row.eve_paper, "white"), (row.eve_fresh, colour)):
        if eve is not None:
            place.errorbar(
                eve.value,
                y.value,
                xerr=_bars(eve),
                yerr=_bars(y),
                color=colour,
                marker=marker,
                markerfacecolor=face,
                markersize=size,
                elinewidth=1,
                zorder=3,
            )
    if row.eve_paper and row.eve_fresh:
        place.annotate(
            "",
            (row.eve_fresh.value, y.value),
            (row.eve_paper.value, y.value),
            arrowprops={
                "arrowstyle": "->",
                "color": colour,
                "linewidth": 0.9,
                "shrinkA": 5,
                "shrinkB": 5,
            },
        )


def _bars(measure: Measure) -> list[list[float]]:
    return [[max(measure.value - measure.low, 0)], [max(measure.high - measure.value, 0)]]


def _entries(
    found: list[Row], colours: Mapping[str, str], markers: Mapping[str, str]
) -> list[Line2D]:
    from matplotlib.lines import Line2D

    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="", markersize=7, label=label, **look)

    schemes = {row.name: (colours[row.system], markers[row.name]) for row in found}
    if len(schemes) > MOST_NAMED:
        schemes = {row.scheme: (colours[row.system], "o") for row in found if not row.control}
    return [
        *(entry(name, color=colour, marker=mark) for name, (colour, mark) in schemes.items()),
        entry("fresh Eve, strongest", color=GREY, marker="o"),
        entry("paper’s Eve", color=GREY, marker="o", markerfacecolor="white"),
        Line2D([], [], label="guessing", **GUESSING),
    ]
