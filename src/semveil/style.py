"""How what is registered is drawn: colour, marker, place in tables and legends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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


Styles = dict[tuple[str, str], Style]
"""Styles by kind and name, such as ``("attack", "pgd")``."""

REGISTERED: Styles = {}
"""Styles of what was registered in this process."""

_written: Styles | None = None


def style_of(kind: str, name: str) -> Style | None:
    """Return how a registered thing is drawn; None if it is unknown here, or states nothing."""
    return (REGISTERED if _written is None else _written).get((kind, name))


@contextmanager
def drawn_as(written: Iterable[Mapping[str, Mapping[str, Sequence[Any]]]]) -> Iterator[None]:
    """Draw by the styles that runs wrote into their ``run.json``, whatever this process knows.

    A report knows no tensors and imports no schemes or attacks to ask them for their styles.
    """
    global _written
    found = {
        (kind, name): Style(*style)
        for each in written
        for kind, styles in each.items()
        for name, style in styles.items()
    }
    before, _written = _written, found or _written
    try:
        yield
    finally:
        _written = before


def written_styles() -> dict[str, dict[str, list[Any]]]:
    """Return the styles of this process for a ``run.json``, by kind and name."""
    found: dict[str, dict[str, list[Any]]] = {}
    for (kind, name), style in sorted(REGISTERED.items(), key=lambda item: item[0]):
        found.setdefault(kind, {})[name] = [style.colour, style.marker, style.order]
    return found
