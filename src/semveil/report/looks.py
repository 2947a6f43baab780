"""Colours and markers: of systems and attacks as they say themselves, of parties, of floors."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import pandas as pd

from semveil.metrics import Metric
from semveil.style import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Style,
    style_of,
)

CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, SKY, ORANGE, BLACK)
MARKERS = "osDvPX^<>"
NO_ATTACK = "No attack"
UNDEFENDED = "undefended"

# One marker and one line per party, in every figure.
ROLES: dict[str, dict[str, Any]] = {
    "bob": {"marker": "o", "linestyle": "-"},
    "paper": {"marker": "^", "linestyle": ":", "markerfacecolor": "white"},
    "adaptive": {"marker": "^", "linestyle": "--"},
}
# Of a control, which has a tint of its scheme's colour: a shape tells them apart without colour.
CONTROLS: dict[str, dict[str, Any]] = {
    "bob": {"marker": "s"},
    "paper": {"marker": "D"},
    "adaptive": {"marker": "D"},
}
_TINT = 0.5  # of white
PARTIES = {
    "bob": "Bob",
    "paper": "Eve (paper’s training)",
    "adaptive": "strongest fresh Eve",
}
FLOOR: dict[str, Any] = {
    "color": FAINT,
    "linewidth": 1.2,
    "linestyle": (0, (1, 1.5)),
    "zorder": 1,
}


def floor_entry(metric: Metric) -> tuple[str, dict[str, Any]]:
    """Return a floor's entry in a legend."""
    return metric.floor_title, FLOOR


def styles(names: Iterable[str], *kinds: str) -> dict[str, Style]:
    """Return how things are drawn: as they state it, else in a colour by their name."""
    names = sorted(set(names))
    stated = {name: [style_of(kind, name) for kind in kinds] for name in names}
    found = {name: style for name, each in stated.items() for style in each if style is not None}
    for name in names:
        if name not in found:
            # The place hangs on the name alone unless it is taken.
            start = zlib.crc32(name.encode()) % len(CYCLE)
            turn = CYCLE[start:] + CYCLE[:start]
            taken = {style.colour for style in found.values()}
            colour = next((colour for colour in turn if colour not in taken), turn[0])
            found[name] = Style(colour, MARKERS[zlib.crc32(name.encode()) % len(MARKERS)])
    return dict(sorted(found.items(), key=lambda item: (item[1].order, item[0])))


def attack_looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how attacks, or adversarial training, are drawn, in order; none at all is first."""
    names = set(names)
    plain: dict[str, dict[str, Any]] = {
        NO_ATTACK: {"color": INK, "linewidth": 1.0},
        UNDEFENDED: {"color": INK, "marker": "x"},
    }
    drawn = styles(names - plain.keys(), "attack", "adversarial training")
    return {name: look for name, look in plain.items() if name in names} | {
        name: {"color": style.colour, "marker": style.marker} for name, style in drawn.items()
    }


def series(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return how the series of a figure are drawn that are nothing registered, in their order."""
    return {
        name: {"color": CYCLE[number % len(CYCLE)], "marker": MARKERS[number % len(MARKERS)]}
        for number, name in enumerate(dict.fromkeys(names))
    }


def palette(frame: pd.DataFrame) -> dict[str, str]:
    """Give each system its scheme's colour, the same in every report; a control has a tint."""
    systems = frame[["system", "scheme", "control"]].drop_duplicates().sort_values("system")
    colours = {name: style.colour for name, style in styles(systems["scheme"], "scheme").items()}
    tints: dict[str, float] = {}
    found: dict[str, str] = {}
    for label, scheme, control in systems.itertuples(index=False):
        colour = colours[scheme]
        if pd.notna(control):
            tints[colour] = min(tints.get(colour, _TINT - 0.15) + 0.15, 0.8)
            colour = _tint(colour, tints[colour])
        found[label] = colour
    return found


def _tint(colour: str, white: float) -> str:
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * white):02x}" for part in parts)


def markers(systems: pd.DataFrame, schemes: Iterable[str] | None = None) -> dict[str, str]:
    """Give the systems whose schemes share a colour a marker each, in their order.

    Colours are those of all schemes of a figure, where it has others too.
    """
    found: dict[str, str] = {}
    drawn = styles(systems["scheme"] if schemes is None else schemes, "scheme")
    colours = systems["scheme"].map(lambda scheme: drawn[scheme].colour)
    known = systems.assign(colour=colours).drop_duplicates("system")
    for _, group in known.groupby("colour", sort=False):
        for number, name in enumerate(group["system"]):
            found[name] = MARKERS[number % len(MARKERS)]
    return found
