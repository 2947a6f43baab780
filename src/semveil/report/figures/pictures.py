"""What the parties see: images, and the symbols on the air."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from semveil.report.figures.layout import LETTER, arrange, panels
from semveil.report.figures.style import BLUE, FAINT, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SYMBOLS = 2500


@styled
def reconstruction_grid(
    samples: Mapping[str, np.ndarray],
    *,
    columns: int = 6,
    scores: Mapping[str, str] | None = None,
    floor: str | None = None,
) -> Figure:
    """Draw images as they were, as Bob rebuilt them and as the strongest Eve did.

    Args:
        samples: Arrays of a run's ``samples.npz``: ``originals`` and any ``bob/<system>`` and
            ``eve/<system>``, uint8 ``[N, C, H, W]``; ``labels`` int ``[N]``.
        columns: The most images to show.
        scores: A word on a row, such as its PSNR, by its key in ``samples``.
        floor: A word on what the mean image reaches, written beside the originals.

    Returns:
        The figure, without any smoothing of pixels.

    Example:
        >>> grey = np.zeros((2, 1, 8, 8), dtype=np.uint8)
        >>> len(reconstruction_grid({"originals": grey, "bob/multitask": grey}).axes)
        4
    """
    keys = ["originals", *_in_pairs(samples)]
    columns = min(columns, *(len(samples[key]) for key in keys))
    names = {key: _row_name(key, (scores or {}).get(key)) for key in keys}
    if floor:
        names["originals"] += f"\n{floor}"
    figure, axes = panels(len(keys) * columns, columns=columns)
    for number, place in enumerate(axes):
        key, column = keys[number // columns], number % columns
        image = np.moveaxis(samples[key][column], 0, -1)
        grey = image.shape[-1] == 1
        place.imshow(
            image[..., 0] if grey else image, cmap="gray", vmin=0, vmax=255, interpolation="none"
        )
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        if number < columns and "labels" in samples:
            place.set_title(str(samples["labels"][column]), loc="center")
        if column == 0:
            place.annotate(
                names[key],
                (-0.12, 0.5),
                xycoords="axes fraction",
                ha="right",
                va="center",
                linespacing=1.35,
            )
    longest = max(len(line) for name in names.values() for line in name.split("\n"))
    arrange(figure, axes, width=0.72, height=0.72, left=0.2 + LETTER * longest, gap=0.07)
    return figure


@styled
def constellation(
    samples: Mapping[str, np.ndarray], *, colours: Mapping[str, str] | None = None
) -> Figure:
    """Draw the symbols that each system sends, one panel per system, on equal axes.

    Args:
        samples: Arrays of a run's ``samples.npz``: any ``waveform/<system>``, complex ``[M]``.
        colours: Colour of each system (see `palette`); blue where it has none.

    Returns:
        The figure; the circle is the unit of mean power.
    """
    from matplotlib.patches import Circle

    waves = {
        key.removeprefix("waveform/"): samples[key]
        for key in samples
        if key.startswith("waveform/")
    }
    figure, axes = panels(len(waves), columns=3)
    reach = max((float(np.quantile(np.abs(wave), 0.999)) for wave in waves.values()), default=1.0)
    reach = 1.1 * max(reach, 1.0)
    for place, (name, wave) in zip(axes, waves.items(), strict=True):
        shown = wave[:: -(-len(wave) // MOST_SYMBOLS)]
        # Thousands of points as one small picture instead of thousands of shapes.
        place.plot(
            shown.real,
            shown.imag,
            ".",
            color=(colours or {}).get(name, BLUE),
            markersize=2,
            alpha=0.7,
            markeredgewidth=0,
            rasterized=True,
        )
        place.add_patch(Circle((0, 0), 1, fill=False, color=FAINT, linewidth=1))
        place.set(title=name, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    arrange(figure, axes, width=2.3, height=2.3, x="in-phase", y="quadrature")
    return figure


def _in_pairs(samples: Mapping[str, np.ndarray]) -> list[str]:
    """Keys of the rebuilt images, a system's Bob followed by its Eve."""
    systems = dict.fromkeys(
        key.split("/", 1)[1] for key in samples if key.startswith(("bob/", "eve/"))
    )
    keys = [f"{party}/{system}" for system in systems for party in ("bob", "eve")]
    return [key for key in keys if key in samples]


def _row_name(key: str, score: str | None) -> str:
    if key == "originals":
        return "originals"
    party, system = key.split("/", 1)
    return f"{system}\n{party.capitalize()}" + (f", {score}" if score else "")
