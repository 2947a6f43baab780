"""Images as Bob rebuilds them under attack, one row an attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from semveil.report.attack_rows import NONE, ORDER
from semveil.report.figures.layout import LETTER, arrange, panels
from semveil.report.figures.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attacked(samples: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """Return the systems that samples show under attack, and which attacks, in their order.

    Args:
        samples: Arrays of ``samples.npz``: any ``bob/<system>/<attack>``.

    Example:
        >>> attacked({"bob/mobilesc/pgd": np.zeros(1), "bob/mobilesc/none": np.zeros(1)})
        {'mobilesc': ['none', 'pgd']}
    """
    found: dict[str, list[str]] = {}
    for key in samples:
        system, _, attack = key.removeprefix("bob/").rpartition("/")
        if key.startswith("bob/") and system and attack in ORDER:
            found.setdefault(system, []).append(attack)
    return {system: sorted(names, key=ORDER.index) for system, names in found.items()}


@styled
def attack_grid(
    samples: Mapping[str, np.ndarray],
    system: str,
    *,
    attacks: Sequence[str] | None = None,
    columns: int = 8,
    scores: Mapping[str, str] | None = None,
) -> Figure:
    """Draw images as they were and as one system's Bob rebuilt them, one row an attack.

    Args:
        samples: Arrays of ``samples.npz``: ``originals`` and ``bob/<system>/<attack>``, uint8
            ``[N, C, H, W]``; ``labels`` int ``[N]``, if any.
        system: The system.
        attacks: Which attacks, besides ``none``; all if None.
        columns: The most images to show.
        scores: A word on a row, such as its PSNR, by attack.

    Returns:
        The figure, without any smoothing of pixels.

    Example:
        >>> grey = np.zeros((2, 1, 8, 8), dtype=np.uint8)
        >>> len(attack_grid({"originals": grey, "bob/mobilesc/pgd": grey}, "mobilesc").axes)
        4
    """
    names = [
        name for name in attacked(samples)[system] if attacks is None or name in (NONE, *attacks)
    ]
    rows = {"originals": samples["originals"]}
    for name in names:
        words = ["nobody" if name == NONE else name, (scores or {}).get(name)]
        rows["\n".join(filter(None, words))] = samples[f"bob/{system}/{name}"]
    columns = min(columns, *(len(images) for images in rows.values()))
    figure, axes = panels(len(rows) * columns, columns=columns)
    for number, place in enumerate(axes):
        line, column = divmod(number, columns)
        title, images = list(rows.items())[line]
        image = np.moveaxis(images[column], 0, -1)
        grey = image.shape[-1] == 1
        place.imshow(
            image[..., 0] if grey else image, cmap="gray", vmin=0, vmax=255, interpolation="none"
        )
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        if line == 0 and "labels" in samples:
            place.set_title(str(samples["labels"][column]), loc="center")
        if column == 0:
            place.annotate(title, (-0.12, 0.5), xycoords="axes fraction", ha="right", va="center")
    longest = max(len(line) for title in rows for line in title.split("\n"))
    arrange(figure, axes, width=0.72, height=0.72, left=0.2 + LETTER * longest, gap=0.07)
    return figure
