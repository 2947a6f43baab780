"""What the parties see: images, and the symbols on the air."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from semveil.report.figures.layout import LETTER, arrange, panels
from semveil.report.figures.style import styled
from semveil.report.looks import CYCLE, NO_ATTACK, styles
from semveil.style import FAINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SYMBOLS = 2500
_WIDEST_TITLE, _WIDEST_PANEL = 9, 28  # letters


def shortened(name: str, letters: int = _WIDEST_TITLE) -> str:
    """Return a name in at most so many letters; by default as it fits above a picture."""
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


@styled
def image_grid(
    rows: Mapping[str, np.ndarray],
    *,
    labels: np.ndarray | None = None,
    columns: int = 6,
) -> Figure:
    """Draw images, one row per name, without any smoothing of pixels."""
    columns = min(columns, *(len(images) for images in rows.values()))
    figure, axes = panels(len(rows) * columns, columns=columns)
    names, stacks = list(rows), list(rows.values())
    for number, place in enumerate(axes):
        line, column = divmod(number, columns)
        image = np.moveaxis(stacks[line][column], 0, -1)
        image = image if image.shape[-1] > 1 else image[..., 0]
        place.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="none")
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
        if line == 0 and labels is not None:
            place.set_title(str(labels[column]), loc="center")
        if column == 0:
            place.annotate(
                names[line],
                (-0.12, 0.5),
                xycoords="axes fraction",
                ha="right",
                va="center",
                linespacing=1.35,
            )
    longest = max(len(line) for name in names for line in name.split("\n"))
    arrange(figure, axes, width=0.72, height=0.72, left=0.2 + LETTER * longest, gap=0.07)
    return figure


def reconstruction_grid(
    samples: Mapping[str, np.ndarray],
    *,
    columns: int = 6,
    scores: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Draw images and the reconstructions of Bob and of the strongest Eve."""
    rows = {"originals": samples["originals"]}
    systems = dict.fromkeys(k.split("/", 1)[1] for k in samples if k.startswith(("bob/", "eve/")))
    for system in systems:
        for party in ("bob", "eve"):
            key = f"{party}/{system}"
            if key in samples:
                score = (scores or {}).get(key)
                party_ = ", ".join(filter(None, [party.capitalize(), score]))
                rows[_lines((titles or {}).get(system, system), party_)] = samples[key]
    return image_grid(rows, labels=samples.get("labels"), columns=columns)


def attacked(samples: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """Return the systems that samples show under attack, and which attacks, in their order."""
    found: dict[str, list[str]] = {}
    for key in samples:
        system, _, attack = key.removeprefix("bob/").rpartition("/")
        if f"bob/{system}/none" in samples:
            found.setdefault(system, []).append(attack)
    return {
        system: ["none", *(name for name in styles(names, "attack") if name != "none")]
        for system, names in found.items()
    }


def attack_grid(
    samples: Mapping[str, np.ndarray],
    system: str,
    *,
    attacks: Sequence[str] | None = None,
    scores: Mapping[str, str] | None = None,
) -> Figure:
    """Draw images and Bob's reconstructions in one system, one row per attack."""
    rows = {"originals": samples["originals"]}
    for name in attacked(samples)[system]:
        if attacks is None or name in ("none", *attacks):
            title = NO_ATTACK if name == "none" else name
            rows[_lines(title, (scores or {}).get(name))] = samples[f"bob/{system}/{name}"]
    return image_grid(rows, labels=samples.get("labels"), columns=8)


def _lines(*words: str | None) -> str:
    return "\n".join(filter(None, words))


@styled
def constellation(
    samples: Mapping[str, np.ndarray],
    *,
    colours: Mapping[str, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Figure:
    """Draw the symbols that each system sends, one panel per system, on equal axes."""
    from matplotlib.patches import Circle

    start = "waveform/"
    waves = {k.removeprefix(start): wave for k, wave in samples.items() if k.startswith(start)}
    colours = {**dict.fromkeys(waves, CYCLE[0]), **(colours or {})}
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
            color=colours[name],
            markersize=2,
            alpha=0.7,
            markeredgewidth=0,
            rasterized=True,
        )
        place.add_patch(Circle((0, 0), 1, fill=False, color=FAINT, linewidth=1))
        title = "\n".join(wrap((titles or {}).get(name, name), _WIDEST_PANEL))
        place.set(title=title, aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))
    arrange(figure, axes, width=2.3, height=2.3, x="in-phase", y="quadrature")
    return figure
