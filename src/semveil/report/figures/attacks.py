"""Bob under attack: against the perturbation's power, and class by class."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.report.attack_rows import NONE, AttackRow, attack_rows, merged
from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.style import (
    BLACK,
    BLUE,
    FAINT,
    GREEN,
    GREY,
    GUESSING,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    UNITS,
    VERMILLION,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNDEFENDED = "undefended"
# Attacks and trainings; an attack and the training against it share a colour.
LOOKS: Mapping[str, tuple[str, str]] = {
    "nobody": (INK, ""),
    "jamming": (FAINT, "x"),
    "fgm": (SKY, "v"),
    "pgd": (BLUE, "^"),
    "uap": (GREEN, "D"),
    "pgm": (ORANGE, "s"),
    "semadv": (VERMILLION, "o"),
    "transfer": (PURPLE, "P"),
    "blackbox": (BLACK, "*"),
    UNDEFENDED: (INK, "x"),
    "noise": (FAINT, "v"),
    "at-pgd": (BLUE, "^"),
    "at-pgm": (ORANGE, "s"),
    "at-semadv": (VERMILLION, "o"),
    "semmixed": (GREEN, "D"),
}
SHARES = re.compile(r"accuracy|misleading_rate|ssim")
WIDEST = 44  # letters of a title above a panel

Groups = Mapping[str, Mapping[str, AttackRow]]


@styled
def against_psr(groups: Groups, metric: str | None = None, *, beside: str | None = None) -> Figure:
    """Draw a figure of Bob's against the perturbation-to-signal ratio, with 95 % intervals.

    Args:
        groups: Title of a panel → name of a line → what is drawn; a line without budgets, nobody's,
            goes across.
        metric: The metric; by default the accuracy that each attack is to lower.
        beside: A second metric, drawn hollow and dashed.

    Returns:
        The figure; dotted is what guessing gets.
    """
    figure, axes = panels(len(groups), columns=2)
    guessing = metric in {None, "accuracy", "accuracy_targeted", "misleading_rate"}
    for place, (title, lines) in zip(axes, groups.items(), strict=True):
        place.set_title("\n".join(wrap(title, WIDEST)))
        for name, row in lines.items():
            for what, hollow in ((metric or row.hit, False), (beside, True)):
                if what:
                    _curve(place, name, row, what, hollow)
        chances = {row.chance for row in lines.values() if row.chance is not None}
        for chance in chances if guessing else ():
            place.axhline(chance, **GUESSING)
    _limits(axes, metric or "accuracy")
    names = _names(groups)
    arrange(
        figure,
        axes,
        width=3.5,
        height=2.2,
        x="PSR (dB)",
        y=_unit(metric or "accuracy"),
        entries=[*_entries(names), *_second(beside), *_guess(guessing)],
    )
    return figure


@styled
def by_class(groups: Groups, metric: str = "accuracy", psr_db: float | None = None) -> Figure:
    """Draw a figure of Bob's for every class, bars beside each other, with 95 % intervals.

    Args:
        groups: Title of a panel → name of a series → what is drawn.
        metric: The metric without its class.
        psr_db: Budget, dB; each series' highest if None.

    Returns:
        The figure, one panel per group that has such figures, one below the other.
    """
    groups = {
        title: lines
        for title, lines in groups.items()
        if any(f"{metric}_class_" in name for x in lines.values() for name in x.table["metric"])
    }
    figure, axes = panels(len(groups), columns=1)
    names = _names(groups)
    width = 0.84 / max(len(names), 1)
    for place, (title, lines) in zip(axes, groups.items(), strict=True):
        place.set_title("\n".join(wrap(title, 2 * WIDEST)))
        classes: set[int] = set()
        for name, row in lines.items():
            budget = psr_db if psr_db is not None or not row.budgets else row.budgets[-1]
            found = per_class(row, metric, budget)
            classes |= found.keys()
            at = np.array(list(found)) + width * (names.index(name) - (len(names) - 1) / 2)
            value = np.array([x.value for x in found.values()])
            ends = np.array([[x.value - x.low, x.high - x.value] for x in found.values()])
            place.bar(at, value, width, color=_look(name)[0])
            place.errorbar(at, value, ends.T.clip(0), fmt="none", ecolor=GREY, elinewidth=0.8)
        place.set_xticks(sorted(classes))
        place.grid(axis="x", visible=False)
    _limits(axes, metric)
    arrange(
        figure,
        axes,
        width=7.2,
        height=1.6,
        x="class",
        y=_unit(metric),
        entries=_patches(names),
    )
    return figure


def per_class(row: AttackRow, metric: str, psr_db: float | None) -> dict[int, Any]:
    """Return a metric's figures by class, as far as they were measured.

    Args:
        row: A system under an attack.
        metric: The metric without its class.
        psr_db: Budget, dB.
    """
    start = f"{metric}_class_"
    metrics = (name for name in row.table["metric"].unique() if name.startswith(start))
    classes = sorted(int(name.removeprefix(start)) for name in metrics)
    found = {label: row.at(f"{start}{label}", psr_db) for label in classes}
    return {label: measure for label, measure in found.items() if measure is not None}


def _look(name: str) -> tuple[str, str]:
    return LOOKS.get(name.split(" (")[0], (FAINT, "."))


def _names(groups: Groups) -> list[str]:
    return list(dict.fromkeys(name for lines in groups.values() for name in lines))


def _curve(place: Axes, name: str, row: AttackRow, metric: str, hollow: bool) -> None:
    colour, marker = _look(name)
    if row.attack == NONE and not row.budgets:
        plain = row.at(metric)
        if plain is not None:
            place.axhline(plain.value, color=colour, linewidth=1, linestyle="--" if hollow else "-")
        return
    found = [(psr_db, row.at(metric, psr_db)) for psr_db in row.budgets]
    points = [(psr_db, m.value, m.value - m.low, m.high - m.value) for psr_db, m in found if m]
    if not points:
        return
    x, value, below, above = np.array(points).T
    paper = row.protocol == "paper"
    place.errorbar(
        x,
        value,
        [below.clip(0), above.clip(0)],
        color=colour,
        marker=marker,
        linestyle=":" if paper else "--" if hollow else "-",
        markerfacecolor="white" if paper or hollow else colour,
        elinewidth=1,
        capsize=2,
    )


def _limits(axes: Iterable[Axes], metric: str) -> None:
    """Give all panels the same limits; shares and SSIM the whole range."""
    axes = list(axes)
    high = max((place.get_ylim()[1] for place in axes), default=1.0)
    low = min((place.get_ylim()[0] for place in axes), default=0.0)
    for place in axes:
        place.set_ylim((0, 1.03) if SHARES.match(metric) else (low, high))
        if SHARES.match(metric) and not metric.startswith("ssim"):
            place.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")


def _unit(metric: str) -> str:
    known = {"misleading_rate": "misleading rate", "accuracy_targeted": "accuracy"}
    return known.get(metric) or UNITS.get(metric, metric)


def _entries(names: Iterable[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    drawn = []
    for name in names:
        colour, marker = _look(name)
        paper = "(" in name
        drawn.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=marker,
                label=name,
                linestyle=":" if paper else "-",
                markerfacecolor="white" if paper else colour,
            )
        )
    return drawn


def _second(beside: str | None) -> list[Any]:
    from matplotlib.lines import Line2D

    if beside is None:
        return []
    look: dict[str, Any] = {"color": GREY, "linestyle": "--", "marker": "o"}
    return [Line2D([], [], label="other classes", markerfacecolor="white", **look)]


def _guess(drawn: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], label="guessing", **GUESSING)] if drawn else []


def _patches(names: Iterable[str]) -> list[Any]:
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=_look(name)[0], linewidth=6, label=name) for name in names]


def curves(
    table: pd.DataFrame,
    panel: Sequence[str] = ("dataset", "system"),
    line: Sequence[str] = ("adversary", "protocol"),
    **options: Any,
) -> Figure:
    """Draw Bob under attack against the PSR from a frame of records.

    Args:
        table: Frame of records.
        panel: Fields that panels differ in.
        line: Fields that lines differ in.
        **options: As of `against_psr`.
    """
    return against_psr(grouped(table, panel, line), **options)


def bars(
    table: pd.DataFrame,
    panel: Sequence[str] = ("dataset", "system"),
    line: Sequence[str] = ("adversary", "protocol"),
    **options: Any,
) -> Figure:
    """Draw Bob under attack class by class from a frame of records.

    Args:
        table: Frame of records.
        panel: Fields that panels differ in.
        line: Fields that bars differ in.
        **options: As of `by_class`.
    """
    return by_class(grouped(table, panel, line), **options)


def trainings(table: pd.DataFrame, **options: Any) -> Figure:
    """Draw links with and without adversarial training against the PSR, one panel per attack.

    Args:
        table: Frame of records of one link.
        **options: As of `against_psr`.
    """
    return against_psr(_by_training(table), **options)


def trainings_by_class(table: pd.DataFrame, **options: Any) -> Figure:
    """Draw links with and without adversarial training class by class, one panel per attack.

    Args:
        table: Frame of records of one link.
        **options: As of `by_class`.
    """
    return by_class(_by_training(table), **options)


def _by_training(table: pd.DataFrame) -> Groups:
    """One panel per attack and protocol; generators for the undefended link know it in both."""
    attacked = table[table["adversary"].notna()]
    known = attacked[attacked["training"].isna() & (attacked["protocol"] == "adaptive")]
    copied = known[
        known["adversary"].isin(attacked.loc[attacked["protocol"] == "paper", "adversary"])
    ]
    named = pd.concat([attacked, copied.assign(protocol="paper")], ignore_index=True)
    return grouped(named, ("adversary", "protocol"), ("training",))


def grouped(table: pd.DataFrame, panel: Sequence[str], line: Sequence[str]) -> Groups:
    """Sort the records of a frame into panels and lines, by fields.

    Args:
        table: Frame of records.
        panel: Fields that panels differ in.
        line: Fields that lines differ in.
    """
    groups: dict[str, dict[str, AttackRow]] = {}
    for row in attack_rows(merged(table)):
        if row.table.empty:
            continue
        names = {"adversary": row.name, "training": UNDEFENDED}
        for key in {*panel, *line} - {"adversary", "protocol"}:
            if not pd.isna(row.table.iloc[0][key]):
                names[key] = str(row.table.iloc[0][key])
        title = ": ".join(names[key] for key in panel if key in names)
        name = " ".join(names[key] for key in line if key in names)
        groups.setdefault(title, {}).setdefault(name, row)
    return groups
