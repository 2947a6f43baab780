"""PSNR and SSIM of several systems against the SNR, in one pair of panels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import CYCLE, UNITS, styled
from semveil.report.select import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "os^Dv<>P"


@styled
def together(systems: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the image quality of systems against Bob's SNR, with 95 % intervals.

    Args:
        systems: Bob's records of each system by its name in the legend, in order.

    Returns:
        The figure: PSNR on the left, SSIM on the right.

    Example:
        >>> row = {"role": "bob", "test_snr_db": 3.0, "value": 20.0, "ci_low": 19.0,
        ...     "ci_high": 21.0}
        >>> rows = pd.DataFrame([row | {"metric": "psnr_db"}, row | {"metric": "ssim"}])
        >>> len(together({"QPSK": rows}).axes)
        2
    """
    from matplotlib.lines import Line2D

    figure, axes = panels(2, columns=2)
    entries = []
    for number, (name, rows) in enumerate(systems.items()):
        style: dict[str, Any] = {
            "color": CYCLE[number % len(CYCLE)],
            "marker": _MARKERS[number % len(_MARKERS)],
            "linestyle": "-" if number < len(CYCLE) else "--",
        }
        for place, metric in zip(axes, ("psnr_db", "ssim"), strict=True):
            curve = where(rows, role="bob", metric=metric).sort_values("test_snr_db")
            around = [curve["value"] - curve["ci_low"], curve["ci_high"] - curve["value"]]
            place.errorbar(curve["test_snr_db"], curve["value"], around, elinewidth=1, **style)
        entries.append(Line2D([], [], label=name, **style))
    for place, metric in zip(axes, ("psnr_db", "ssim"), strict=True):
        place.set_title(UNITS[metric])
    arrange(
        figure, axes, width=3.3, height=2.4, x="SNR (dB)", entries=entries, shared=False, left=0.5
    )
    return figure


def against_snr(table: pd.DataFrame, names: Sequence[str]) -> Figure:
    """Draw the image quality of all systems of a frame of records against Bob's SNR.

    Args:
        table: Frame of records.
        names: Fields that tell the systems apart, which the legend shows.
    """
    bob = table[table["role"] == "bob"]
    systems = {}
    values: Any
    for values, rows in bob.groupby(list(names), dropna=False, sort=False):
        known = [value for value in values if not pd.isna(value)]
        words = (f"{value:g}" if isinstance(value, float) else str(value) for value in known)
        systems[", ".join(words)] = rows
    return together(systems)
