"""How what is registered is drawn: colour, marker, place in tables and legends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The colours of Okabe and Ito, which differ under every common colour blindness; without their
# yellow, which is too faint on white.
BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, SKY, ORANGE, BLACK = "#CC79A7", "#56B4E9", "#E69F00", "#000000"
INK, GREY, FAINT = "#24292f", "#5a5a5a", "#8a929b"


@dataclass(frozen=True)
class Style:
    """How one thing is drawn, wherever it appears.

    Attributes:
        colour: Of its lines, as matplotlib reads it.
        marker: Of its points, as matplotlib reads it.
        order: Place in tables and legends; lower comes first, equal ones in alphabetical order.

    Example:
        >>> Style(BLUE, "^").marker
        '^'
    """

    colour: str = FAINT
    marker: str = "."
    order: int = 100


STYLES: dict[tuple[str, str], Style] = {}
"""Styles by kind and name, such as ``("attack", "pgd")``, of what was registered in this process.

A report knows no tensors and cannot import attacks to ask them: a run writes the styles of what it
used into its ``run.json``.
"""


def remember(written: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
    """Take styles from a ``run.json``, as :func:`written_styles` made them."""
    for kind, styles in written.items():
        for name, (colour, marker, order) in styles.items():
            STYLES.setdefault((kind, name), Style(colour, marker, order))


def written_styles() -> dict[str, dict[str, list[Any]]]:
    """Return the styles of this process for a ``run.json``, by kind and name.

    Example:
        >>> STYLES["colour", "red"] = Style("#ff0000", "o", 1)
        >>> written_styles()["colour"]
        {'red': ['#ff0000', 'o', 1]}
    """
    found: dict[str, dict[str, list[Any]]] = {}
    for (kind, name), style in STYLES.items():
        found.setdefault(kind, {})[name] = [style.colour, style.marker, style.order]
    return found
