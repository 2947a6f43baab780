"""What a recording holds: its spectrum, its power against time, and equalised symbols."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import styled
from semveil.report.looks import CYCLE
from semveil.style import FAINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Span = tuple[float, float]


@styled
def spectrum(frequency_hz: NDArray[np.float64], density_db: NDArray[np.float64]) -> Figure:
    """Draw the power spectral density against the frequency from the centre."""
    figure, axes = panels(1, columns=1)
    unit, scale = _unit(float(np.abs(frequency_hz).max(initial=1.0)))
    axes[0].plot(frequency_hz / scale, density_db, color=CYCLE[0], linewidth=1.0)
    arrange(
        figure,
        axes,
        width=6.4,
        height=2.4,
        x=f"frequency from the centre ({unit})",
        y="power density (dB/Hz)",
    )
    return figure


@styled
def power(
    time_s: NDArray[np.float64], power_db: NDArray[np.float64], frames: Sequence[Span]
) -> Figure:
    """Draw the power against time, with the spans of the frames that were found shaded."""
    figure, axes = panels(1, columns=1)
    for start, end in frames:
        axes[0].axvspan(start * 1e3, end * 1e3, color=CYCLE[2], alpha=0.18, linewidth=0)
    axes[0].plot(time_s * 1e3, power_db, color=CYCLE[0], linewidth=0.8)
    arrange(figure, axes, width=6.4, height=2.0, x="time (ms)", y="power (dB)")
    return figure


@styled
def equalised(symbols: NDArray[np.complex64]) -> Figure:
    """Draw symbols as the receiver's decoder gets them."""
    from matplotlib.patches import Circle

    figure, axes = panels(1, columns=1)
    reach = 1.1 * max(1.0, float(np.quantile(np.abs(symbols), 0.999)) if len(symbols) else 1.0)
    axes[0].plot(
        symbols.real,
        symbols.imag,
        ".",
        color=CYCLE[0],
        markersize=2.5 if len(symbols) > 500 else 5,
        alpha=0.6,
        markeredgewidth=0,
        rasterized=True,
    )
    axes[0].add_patch(Circle((0, 0), 1, fill=False, color=FAINT, linewidth=1))
    axes[0].set(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    arrange(figure, axes, width=3.0, height=3.0, x="in-phase", y="quadrature")
    return figure


def _unit(most_hz: float) -> tuple[str, float]:
    for unit, scale in (("MHz", 1e6), ("kHz", 1e3)):
        if most_hz >= scale:
            return unit, scale
    return "Hz", 1.0
