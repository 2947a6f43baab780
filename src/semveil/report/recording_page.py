"""The page on a recording: its spectrum, the frames that a receiver found, their symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semveil.files import write_atomic
from semveil.report.figures import recording as figures
from semveil.report.page import Drawing, environment, require_html

MOST_SYMBOLS = 4000


@dataclass(frozen=True)
class RecordingView:
    """What the page shows of a recording.

    Attributes:
        title: Name of the recording.
        facts: What its metadata states, by name.
        frequency_hz: Frequencies from the centre, ``[F]``.
        density_db: Power spectral density, dB/Hz ``[F]``.
        time_s: Times, ``[T]``.
        power_db: Mean power around each, dB ``[T]``.
        columns: Titles of the table of frames.
        frames: One row per frame.
        spans: First and last moment of each frame, s.
        symbols: Equalised symbols of all frames, complex ``[N]``.
        refused: Frames that were found and not decoded, and why.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    frequency_hz: NDArray[np.float64]
    density_db: NDArray[np.float64]
    time_s: NDArray[np.float64]
    power_db: NDArray[np.float64]
    columns: Sequence[str] = ()
    frames: Sequence[Sequence[str]] = ()
    spans: Sequence[tuple[float, float]] = ()
    symbols: NDArray[np.complex64] = field(default_factory=lambda: np.empty(0, np.complex64))
    refused: Sequence[str] = ()


def write_recording_page(path: Path, view: RecordingView) -> None:
    """Write a self-contained page on a recording; the same view gives the same bytes.

    Raises:
        SemveilError: If the name is not one of an HTML page, or the file cannot be written.
    """
    require_html(path)
    drawn = {
        "spectrum": figures.spectrum(view.frequency_hz, view.density_db),
        "power": figures.power(view.time_s, view.power_db, view.spans),
    }
    if len(view.symbols):
        shown = view.symbols[:: -(-len(view.symbols) // MOST_SYMBOLS)]
        drawn["constellation"] = figures.equalised(shown)
    drawings = {key: Drawing.of(figure, key) for key, figure in drawn.items()}
    page = environment().get_template("recording.html.j2").render(view=view, drawings=drawings)
    write_atomic(path, page.encode(errors="replace"))
