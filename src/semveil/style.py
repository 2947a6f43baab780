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


STYLES: dict[tuple[str, str], Style] = {
    ("attack", "blackbox"): Style(BLACK, "*", 80),
    ("attack", "fgm"): Style(SKY, "v", 20),
    ("attack", "jamming"): Style(FAINT, "x", 10),
    ("attack", "pgd"): Style(BLUE, "^", 30),
    ("attack", "pgm"): Style(ORANGE, "s", 50),
    ("attack", "semadv"): Style(VERMILLION, "o", 60),
    ("attack", "transfer"): Style(PURPLE, "P", 70),
    ("attack", "uap"): Style(GREEN, "D", 40),
    ("scheme", "cipher"): Style(PURPLE, ".", 100),
    ("scheme", "cooperative"): Style(GREEN, ".", 100),
    ("scheme", "deepjscc"): Style(BLACK, ".", 100),
    ("scheme", "dp"): Style(ORANGE, ".", 100),
    ("scheme", "ibal"): Style(VERMILLION, ".", 100),
    ("scheme", "lbvq"): Style("#8c510a", ".", 100),
    ("scheme", "minmax"): Style(VERMILLION, ".", 100),
    ("scheme", "minmax-cooperative"): Style(PURPLE, ".", 100),
    ("scheme", "multitask"): Style(BLUE, ".", 100),
    ("scheme", "rotation"): Style(GREEN, ".", 100),
    ("scheme", "shuffle"): Style(SKY, ".", 100),
    ("scheme", "uis"): Style("#6b7f1e", ".", 100),
    ("scheme", "vfe"): Style(BLUE, ".", 100),
}
"""Styles by kind and name. Those of this package are listed, since a report, which knows no
tensors, must draw the same in every process; those of other packages are added when they register.
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
