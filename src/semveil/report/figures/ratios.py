"""Ratios to a reference, one row per scheme and one panel per quantity."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.report.figures.layout import LETTER, arrange, panels
from semveil.report.figures.style import CYCLE, GUESSING, styled
from semveil.report.select import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "os^D"


@styled
def ratios(
    frame: pd.DataFrame,
    metrics: Mapping[str, str],
    *,
    over: str,
    series: Sequence[str] = ("series",),
) -> Figure:
    """Draw ratios with their intervals, on a logarithmic scale.

    Args:
        frame: Frame of records.
        metrics: Metrics that are ratios, and the title of each one's panel.
        over: Scheme of the reference, which is at 1 and gets no row.
        series: Columns that tell series apart: each has a colour of its own.

    Returns:
        The figure.
    """
    from matplotlib.lines import Line2D

    table = where(frame, role="system")
    table = table[table["scheme"] != over]
    names = list(table["scheme"].unique())
    of = table[[name for name in series if name in table.columns]]
    table = table.assign(series=[_series(row) for row in of.to_dict("records")])
    kinds = list(table["series"].unique())
    figure, axes = panels(len(metrics), columns=len(metrics))
    for place, (metric, title) in zip(axes, metrics.items(), strict=True):
        place.set_title(title)
        place.axvline(1.0, **GUESSING)
        for number, one in enumerate(kinds):
            rows = where(table, metric=metric, series=one).set_index("scheme").reindex(names)
            value = rows["value"].to_numpy()
            ends = np.abs(rows[["ci_low", "ci_high"]].to_numpy() - value[:, None]).T
            height = np.arange(len(names)) + 0.24 * (number - (len(kinds) - 1) / 2)
            place.errorbar(
                value,
                height,
                xerr=np.nan_to_num(ends),
                color=CYCLE[number % len(CYCLE)],
                marker=_MARKERS[number % len(_MARKERS)],
                linestyle="",
                elinewidth=1,
                capsize=2,
            )
        place.set_xscale("log", base=2)
        place.xaxis.set_major_formatter("{x:g}")
        place.set_yticks(np.arange(len(names)), names)
        place.set_ylim(len(names) - 0.5, -0.5)
    # Ticks of all panels alike, for the margins and for the eye.
    low = min(place.get_xlim()[0] for place in axes)
    high = max(place.get_xlim()[1] for place in axes)
    for place in axes:
        place.set_xlim(low, high)
    entries = [
        Line2D(
            [],
            [],
            color=CYCLE[number % len(CYCLE)],
            marker=_MARKERS[number % len(_MARKERS)],
            linestyle="",
            label=one,
        )
        for number, one in enumerate(kinds)
        if one
    ]
    arrange(
        figure,
        axes,
        width=2.2,
        height=0.27 * len(names),
        x=f"times {over}",
        entries=entries,
        left=0.3 + LETTER * max(len(name) for name in names),
    )
    return figure


def _series(row: Mapping[Hashable, Any]) -> str:
    """Name a series by its columns: ``params.exported`` that is true is "exported"."""
    known = ((str(name), value) for name, value in row.items() if not pd.isna(value))
    words = (name.removeprefix("params.") if value is True else str(value) for name, value in known)
    return " ".join(words)
