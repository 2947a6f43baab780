"""How what is registered is drawn and compared, which reports know without importing it."""

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

Traits = dict[tuple[str, str], frozenset[str]]
"""What comparisons must know of registered things, by kind and name."""

REGISTERED_TRAITS: Traits = {}
"""Traits of what was registered in this process."""

_written: Styles | None = None
_written_traits: Traits | None = None


def style_of(kind: str, name: str) -> Style | None:
    """Return how a registered thing is drawn; None if it is unknown here, or states nothing."""
    return (REGISTERED if _written is None else _written).get((kind, name))


def traits_of(kind: str, name: str) -> frozenset[str]:
    """Return the traits of a registered thing; none if it is unknown here."""
    known = REGISTERED_TRAITS if _written_traits is None else _written_traits
    return known.get((kind, name), frozenset())


@contextmanager
def drawn_as(runs: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """Draw and compare by what runs wrote into their ``run.json``, whatever this process knows.

    A report knows no tensors and imports no schemes or attacks to ask them.
    """
    global _written, _written_traits
    runs = list(runs)
    before = _written, _written_traits
    styles = {key: Style(*style) for key, style in _of_runs(runs, "styles")}
    traits = {key: frozenset(names) for key, names in _of_runs(runs, "traits")}
    _written, _written_traits = styles or _written, traits or _written_traits
    try:
        yield
    finally:
        _written, _written_traits = before


def _of_runs(
    runs: Iterable[Mapping[str, Any]], what: str
) -> Iterator[tuple[tuple[str, str], Sequence[Any]]]:
    for run in runs:
        for kind, stated in run.get(what, {}).items():
            for name, value in stated.items():
                yield (kind, name), value


def written_styles() -> dict[str, dict[str, list[Any]]]:
    """Return the styles of this process for a ``run.json``, by kind and name."""
    found: dict[str, dict[str, list[Any]]] = {}
    for (kind, name), style in sorted(REGISTERED.items(), key=lambda item: item[0]):
        found.setdefault(kind, {})[name] = [style.colour, style.marker, style.order]
    return found


def written_traits() -> dict[str, dict[str, list[str]]]:
    """Return the traits of this process for a ``run.json``, by kind and name."""
    found: dict[str, dict[str, list[str]]] = {}
    for (kind, name), traits in sorted(REGISTERED_TRAITS.items()):
        found.setdefault(kind, {})[name] = sorted(traits)
    return found
