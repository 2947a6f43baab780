"""Bob's accuracy beside what inverters recover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import GREY, GUESSING, palette, styled
from semveil.report.select import strongest, where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRIC = "mi_excess_bits_20"
MARKERS = ("o", "s", "D", "v", "P", "X")


@styled
def accuracy_and_leakage(frame: pd.DataFrame, snr_db: float) -> Figure:
    """Draw Bob's accuracy against the excess mutual information of the strongest Eve's images.

    Args:
        frame: Frame of records.
        snr_db: Bob's and Eve's SNR, dB.

    Returns:
        The figure: one point per system, its marker telling systems of one colour apart; the
        dotted line is where a reconstruction says nothing of its image.
    """
    from matplotlib.lines import Line2D

    at = where(frame, test_snr_db=snr_db)
    leaks = where(at, role="eve", metric=METRIC, protocol="adaptive")
    # Chance alone would make somebody the best who was scored on few images.
    leaks = strongest(leaks[leaks["n"] >= leaks["n"].max() / 2])
    bobs = where(at, role="bob", metric="accuracy")
    colours = palette(frame)
    figure, axes = panels(1, columns=1)
    entries, taken = [], dict[str, int]()
    for _, bob in bobs.iterrows():
        eve = where(leaks, system=bob["system"], latent_dim=bob["latent_dim"])
        if eve.empty:
            continue
        row = eve.iloc[0]
        colour = colours[str(bob["system"])]
        marker = MARKERS[taken.get(colour, 0) % len(MARKERS)]
        taken[colour] = taken.get(colour, 0) + 1
        axes[0].errorbar(
            row["value"],
            bob["value"],
            xerr=[[row["value"] - row["ci_low"]], [row["ci_high"] - row["value"]]],
            yerr=[[bob["value"] - bob["ci_low"]], [bob["ci_high"] - bob["value"]]],
            color=colour,
            marker=marker,
            elinewidth=1,
        )
        label = f"{bob['system']}, d = {bob['latent_dim']:g}"
        entries.append(Line2D([], [], color=colour, marker=marker, linestyle="", label=label))
    axes[0].axvline(0, **GUESSING)
    entries.append(Line2D([], [], label="says nothing", **GUESSING))
    axes[0].yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    axes[0].tick_params(labelcolor=GREY)
    arrange(
        figure,
        axes,
        width=5.2,
        height=3.8,
        x="leakage: excess mutual information of the strongest Eve’s images (bits)",
        y="Bob’s accuracy",
        entries=entries,
    )
    return figure
