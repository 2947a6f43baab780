"""How what is registered is drawn: colour, marker, place in tables and legends."""

from __future__ import annotations

from dataclasses import dataclass

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
