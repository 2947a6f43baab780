"""Points with intervals: one figure of a system against another, or row by row."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.metrics import MAIN, Metric, metric_of
from semveil.records import Estimate
from semveil.report.figures.layout import LETTER, arrange, panels
from semveil.report.figures.lines import Look, entries, unit
from semveil.report.figures.style import styled
from semveil.report.looks import FLOOR, PARTIES, floor_entry, markers, palette
from semveil.report.looks import series as look_of
from semveil.report.select import (
    estimate_of,
    floor,
    over_seeds,
    pooled,
    strongest,
    titles,
    where,
)
from semveil.report.summary import Row, rows
from semveil.report.table import heading
from semveil.style import FAINT, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED = 15
_WIDEST = 46  # letters of a title above a panel
LEAKAGE = "mi_excess_bits_20"
FRONTIER: Look = {"color": GREY, "linewidth": 1.2, "zorder": 2}


def point(place: Axes, x: Estimate, y: Estimate | float, look: Look) -> None:
    """Draw a point with the intervals of its estimates."""
    exact = y if isinstance(y, Estimate) else Estimate(y, y, y, 1)
    bars = [np.nan_to_num([[e.value - e.low], [e.high - e.value]]).clip(0) for e in (x, exact)]
    place.errorbar(
        x.value,
        exact.value,
        xerr=bars[0],
        yerr=bars[1] if isinstance(y, Estimate) else None,
        **{"linestyle": "", "elinewidth": 1, **look},
    )


@styled
def privacy_utility(
    frame: pd.DataFrame, *, colours: Mapping[str, str] | None = None, frontier: bool = False
) -> Figure:
    """Draw Bob's accuracy against the strongest fresh Eve's, both at Bob's SNR.

    A hollow marker is the Eve of the paper's training; an arrow leads from her to the fresh one. On
    the diagonal Eve gets what Bob gets; the best place is up and left, on the line of chance. Of
    several latent dimensions, the larger has the larger marker.

    Args:
        frame: Frame of records.
        colours: Colour of each system (see `palette`).
        frontier: Whether a line joins the systems that no other one surpasses on both axes.

    Returns:
        The figure, with a panel for each dataset or other setting.
    """
    found = [row for row in rows(frame) if row.comparable]
    colours = colours or palette(frame)
    names = _names(found)
    schemes = [row.scheme for row in found]
    marked = markers(pd.DataFrame({"system": names, "scheme": schemes}), frame["scheme"])
    if len(marked) > MOST_NAMED:
        of = markers(pd.DataFrame({"system": schemes, "scheme": schemes}), frame["scheme"])
        marked = of | {name: of[scheme] for name, scheme in zip(names, schemes, strict=True)}
    sizes = _sizes(sorted({_dimension(row) for row in found}))
    settings: dict[str, list[Row]] = {}
    for row in found:
        settings.setdefault(_title(row, found), []).append(row)
    figure, axes = panels(len(settings), columns=2)
    accuracy = metric_of(MAIN["label"])
    for place, (title, group) in zip(axes, settings.items(), strict=True):
        place.set_title("\n".join(wrap(title, _WIDEST)))
        _background(place, group)
        if frontier:
            place.step(*_frontier(group), where="post", **FRONTIER)
        for row in group:
            look = {"color": colours[row.system], "marker": marked[names[found.index(row)]]}
            _parties(place, row, look | {"markersize": sizes[_dimension(row)]})
        place.set(xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
        for axis in (place.xaxis, place.yaxis):
            unit(axis, accuracy)
    arrange(
        figure,
        axes,
        width=3.7,
        height=3.7,
        x=f"Eve’s {accuracy.label}",
        y=f"Bob’s {accuracy.label}",
        entries=entries(
            _legend(found, names, colours, marked) + [("frontier", FRONTIER)] * frontier
        ),
        gap=0.4,
    )
    return figure


def _frontier(group: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Return the corners of what no system surpasses: the strongest Eve's and Bob's accuracy."""
    points = [(eve.value, row.figures["bob", MAIN["label"]].value) for row in group
              if (eve := row.strongest(MAIN["label"]))]  # fmt: skip
    corners = [(eve, bob) for eve, bob in points if all(e > eve or b <= bob for e, b in points)]
    corners.sort()
    return [eve for eve, _ in corners], [bob for _, bob in corners]


def _names(found: Sequence[Row]) -> list[str]:
    """What each row is called: its system, with the PSR only where the system has several."""
    powers = {(row.system, row.psr_db) for row in found}
    several = {s for s, _ in powers if sum(s == other for other, _ in powers) > 1}
    return [row.name if row.system in several else replace(row, psr_db=None).name for row in found]


def _title(row: Row, found: Sequence[Row]) -> str:
    """What sets the row's panel apart from the others; its data and channel if nothing does."""
    keys = [key for key in row.condition if key not in {"latent_dim", "seed"}]
    varying = [key for key in keys if len({str(other.condition[key]) for other in found}) > 1]
    return heading((key, row.condition[key]) for key in varying or ("dataset", "channel"))


def _dimension(row: Row) -> float:
    number = row.condition["latent_dim"]
    return 0.0 if pd.isna(number) else float(number)


def _sizes(dimensions: Sequence[float]) -> dict[float, float]:
    """The larger the latent dimension, the larger the marker."""
    if len(dimensions) == 1:
        return {dimensions[0]: 6.5}
    return {d: 4 + 5 * place / (len(dimensions) - 1) for place, d in enumerate(dimensions)}


def _background(place: Axes, group: Sequence[Row]) -> None:
    place.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
    place.fill_between([0, 1], [0, 1], color="#f1f3f5", zorder=0)
    place.text(0.97, 0.05, "Eve gets more than Bob", ha="right", color=GREY, fontsize=8.5)
    for party, line in (("adaptive", place.axvline), ("bob", place.axhline)):
        for chance in {row.floors.get((party, MAIN["label"])) for row in group}:
            if chance is not None:
                line(chance, **FLOOR)


def _parties(place: Axes, row: Row, look: Look) -> None:
    bob, paper, fresh = (row.at(party) for party in ("bob", "paper", "adaptive"))
    assert bob is not None
    for eve, face in ((paper, "white"), (fresh, look["color"])):
        if eve is not None:
            point(place, eve, bob, {**look, "markerfacecolor": face, "zorder": 3})
    if paper and fresh:
        arrow = {"arrowstyle": "->", "color": look["color"], "linewidth": 0.9}
        place.annotate(
            "",
            (fresh.value, bob.value),
            (paper.value, bob.value),
            arrowprops=arrow | {"shrinkA": 5, "shrinkB": 5},
        )


def _legend(
    found: Sequence[Row],
    names: Sequence[str],
    colours: Mapping[str, str],
    marked: Mapping[str, str],
) -> list[tuple[str, Look]]:
    plain: dict[str, Any] = {"linestyle": "", "markersize": 7}
    shown = dict(zip(names, found, strict=True))
    if len(shown) > MOST_NAMED:
        shown = {row.scheme: row for row in found if not row.control}
    eve = plain | {"color": GREY, "marker": "o"}
    return [
        *(
            (name, plain | {"color": colours[row.system], "marker": marked.get(name, "o")})
            for name, row in shown.items()
        ),
        (PARTIES["adaptive"], eve),
        (PARTIES["paper"], eve | {"markerfacecolor": "white"}),
        floor_entry(metric_of(MAIN["label"])),
    ]


@styled
def accuracy_and_leakage(frame: pd.DataFrame, snr_db: float) -> Figure:
    """Draw Bob's accuracy against the excess mutual information of the strongest Eve's images.

    Args:
        frame: Frame of records.
        snr_db: Bob's and Eve's SNR, dB.

    Returns:
        The figure: one point per system, seeds merged, its marker telling systems of one colour
        apart, the larger the latent dimension the larger; dotted are the floors.
    """
    accuracy, leakage = metric_of(MAIN["label"]), metric_of(LEAKAGE)
    at = where(frame, test_snr_db=snr_db)
    leaks = where(at, role="eve", metric=LEAKAGE, protocol="adaptive")
    # A system measured on few images could be the best by chance.
    leaks = strongest(leaks[leaks["n"] >= leaks["n"].max() / 2])
    bobs = where(at, role="bob", metric=accuracy.name)
    leaks, bobs = (over_seeds(rows, n=("n", "sum")) for rows in (leaks, bobs))
    colours, marked, named = palette(frame), markers(bobs, frame["scheme"]), titles(bobs)
    sizes = _sizes(sorted(set(bobs["latent_dim"].dropna())))
    figure, (place,) = panels(1, columns=1)
    legend: list[tuple[str, Look]] = []
    for _, bob in bobs.iterrows():
        eve = where(leaks, system=bob["system"], latent_dim=bob["latent_dim"])
        if not eve.empty:
            look = {
                "color": colours[bob["system"]],
                "marker": marked[bob["system"]],
                "markersize": sizes.get(bob["latent_dim"], 6.5),
            }
            point(place, estimate_of(eve.iloc[0]), estimate_of(bob), look)
            legend.append(
                (f"{named[bob['system']]}, d = {bob['latent_dim']:g}", look | {"linestyle": ""})
            )
    place.axvline(floor(frame, LEAKAGE) or 0.0, **FLOOR)
    chance = floor(frame, accuracy.name, target="label")
    if chance is not None:
        place.axhline(chance, **FLOOR)
    unit(place.yaxis, accuracy)
    place.tick_params(labelcolor=GREY)
    arrange(
        figure,
        [place],
        width=5.2,
        height=3.8,
        x=f"{leakage.label}: excess mutual information of the strongest Eve’s images",
        y=f"Bob’s {accuracy.label}",
        entries=entries([*legend, ("chance, no leakage", FLOOR)]),
    )
    return figure


@dataclass(frozen=True)
class Dots:
    """A panel of points row by row."""

    title: str
    dots: Sequence[tuple[int, float, Estimate, Look]]  # row, distance from its middle
    level: float | None


def by_row(
    drawn: Sequence[Dots],
    names: Sequence[str],
    *,
    x: str,
    legend: Sequence[tuple[str, Look]],
    size: tuple[float, float],
    columns: int,
    metric: Metric | None = None,
    octaves: bool = False,
) -> Figure:
    """Draw numbers on horizontal axes, one row per name."""
    figure, axes = panels(len(drawn), columns=columns)
    for place, panel in zip(axes, drawn, strict=True):
        place.set_title(panel.title)
        if panel.level is not None:
            place.axvline(panel.level, **FLOOR)
        for row, shift, number, look in panel.dots:
            point(place, number, row + shift, look)
        if octaves:
            place.set_xscale("log", base=2)
            place.xaxis.set_major_formatter("{x:g}")
        if metric is not None:
            unit(place.xaxis, metric)
        place.set_yticks(range(len(names)), names)
        place.set_ylim(len(names) - 0.5, -0.5)
    # Limits of all panels alike, for the margins and for the eye.
    ends = [place.get_xlim() for place in axes]
    for place in axes:
        place.set_xlim(min(low for low, _ in ends), max(high for _, high in ends))
    arrange(
        figure,
        axes,
        width=size[0],
        height=size[1] * len(names) + 0.1,
        x=x,
        entries=entries(legend),
        left=0.3 + LETTER * max((len(name) for name in names), default=0),
    )
    return figure


@styled
def ratios(
    frame: pd.DataFrame,
    metrics: Mapping[str, str],
    *,
    over: str,
    series: Sequence[str] = ("series",),
) -> Figure:
    """Draw ratios with their intervals, on a logarithmic scale.

    Args:
        frame: Frame of records.
        metrics: Metrics that are ratios, and the title of each one's panel.
        over: Scheme of the reference, which is at 1 and gets no row.
        series: Columns that tell series apart: each has a colour of its own.

    Returns:
        The figure.
    """
    table = where(frame, role="system")
    table = table[table["scheme"] != over]
    names = list(table["scheme"].unique())
    of = table[[name for name in series if name in table.columns]]
    table = table.assign(series=[_series(row) for row in of.to_dict("records")])
    looks = look_of(table["series"])
    shifts = {name: 0.24 * (at - (len(looks) - 1) / 2) for at, name in enumerate(looks)}
    drawn = [
        Dots(
            title,
            [
                (names.index(row["scheme"]), shifts[row["series"]], estimate_of(row), look)
                for _, row in where(table, metric=metric).iterrows()
                for look in [{**looks[row["series"]], "capsize": 2}]
            ],
            1.0,
        )
        for metric, title in metrics.items()
    ]
    return by_row(
        drawn,
        names,
        x=f"times {over}",
        legend=[(name, {**look, "linestyle": ""}) for name, look in looks.items() if name],
        size=(2.2, 0.27),
        columns=len(metrics),
        octaves=True,
    )


def _series(row: Mapping[Hashable, Any]) -> str:
    """Name a series by its columns: ``params.exported`` that is true is "exported"."""
    known = ((str(name), value) for name, value in row.items() if not pd.isna(value))
    words = (name.removeprefix("params.") if value is True else str(value) for name, value in known)
    return " ".join(words)


@styled
def by_attribute(
    frame: pd.DataFrame, published: Mapping[tuple[str, str], float] | None = None
) -> Figure:
    """Draw accuracy and balanced accuracy of every system, one panel per attribute."""
    bob, accuracy = where(frame, role="bob"), metric_of(MAIN["label"])
    systems, attributes = (list(dict.fromkeys(bob[key])) for key in ("system", "attribute"))
    metrics = [name for name in (accuracy.name, "balanced_accuracy") if name in set(bob["metric"])]
    looks = look_of(metric_of(name).title for name in metrics)
    cross: Look = {"color": FAINT, "marker": "x"}
    drawn = []
    for attribute in attributes:
        dots = []
        for (line, system), (at, metric) in product(enumerate(systems), enumerate(metrics)):
            found = where(bob, system=system, attribute=attribute, metric=metric)
            if len(found):
                look = looks[metric_of(metric).title]
                dots.append((line, 0.3 * at - 0.15, pooled(found), look))
        dots += [
            (systems.index(system), 0.0, Estimate(rate, rate, rate, 1), cross)
            for (system, of), rate in (published or {}).items()
            if of == attribute and system in systems
        ]
        guessed = where(frame, metric=accuracy.floors[0], attribute=attribute)["value"]
        drawn.append(Dots(attribute, dots, float(guessed.iloc[0]) if len(guessed) else None))
    legend: list[tuple[str, Look]]
    legend = [(name, {**look, "linestyle": ""}) for name, look in looks.items()]
    legend.append(floor_entry(accuracy))
    if published:
        legend.append(("published", {**cross, "linestyle": ""}))
    named = titles(bob)
    return by_row(
        drawn,
        [named[system] for system in systems],
        x=f"Bob’s {accuracy.label}",
        legend=legend,
        size=(2.3, 0.32),
        columns=3,
        metric=accuracy,
    )
