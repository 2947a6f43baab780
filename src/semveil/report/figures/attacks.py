"""Bob under attack: against the perturbation's power, and class by class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.metrics import metric_of
from semveil.report.attack_rows import NONE, AttackRow, attack_rows, merged
from semveil.report.figures.layout import arrange, panels
from semveil.report.figures.lines import Curve, Look, Panel, draw, entries, limit
from semveil.report.figures.pictures import shortened
from semveil.report.figures.style import styled
from semveil.report.looks import FLOOR, UNDEFENDED, attack_looks, floor_entry
from semveil.style import GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDEST = 44  # letters of a title above a panel
_WIDTH, _LETTER = 7.2, 0.07  # of the panels of all classes, and of a letter of their names, inches
# Lines of attacks that were trained on another link, and of the second metric.
ELSEWHERE: Look = {"linestyle": ":", "markerfacecolor": "white"}
SECOND: Look = {"linestyle": "--", "markerfacecolor": "white"}

Groups = Mapping[str, Mapping[str, AttackRow]]


@styled
def against_psr(groups: Groups, metric: str | None = None, *, beside: str | None = None) -> Figure:
    """Draw a metric of Bob's against the perturbation-to-signal ratio, with 95 % intervals."""
    looks = _looks(groups)
    kind = metric_of(metric or "accuracy")
    drawn = []
    for title, lines in groups.items():
        if not any((row.table["metric"] == (metric or row.hit)).any() for row in lines.values()):
            continue
        panel = Panel(title)
        for name, row in lines.items():
            _add(panel, row, metric or row.hit, looks[name])
            if beside:
                _add(panel, row, beside, {**looks[name], **SECOND})
        panel.levels += [(value, FLOOR) for value in _floors(lines, kind.name)]
        drawn.append(panel)
    legend = list(looks.items())
    if beside:
        legend.append((metric_of(beside).title, {"color": GREY, "marker": "o", **SECOND}))
    if any((FLOOR is look) for panel in drawn for _, look in panel.levels):
        legend.append(floor_entry(kind))
    return draw(
        drawn,
        x="PSR (dB)",
        metric=kind,
        legend=legend,
        columns=2,
        size=(3.5, 2.2),
        letters=WIDEST,
    )


def _floors(lines: Mapping[str, AttackRow], metric: str) -> set[float]:
    return {value for row in lines.values() if (value := row.floor(metric)) is not None}


def _add(panel: Panel, row: AttackRow, metric: str, look: Look) -> None:
    if row.attack == NONE:
        plain = row.at(metric)
        if plain is not None:
            panel.levels.append((plain.value, {**look, "linewidth": 1}))
        return
    points = ((psr_db, row.at(metric, psr_db)) for psr_db in row.budgets)
    panel.curves.append(Curve.of(points, look))


@styled
def by_class(
    groups: Groups,
    metric: str = "accuracy",
    psr_db: float | None = None,
    class_names: Sequence[str] = (),
) -> Figure:
    """Draw a metric of Bob's for every class, bars beside each other, with 95 % intervals.

    Args:
        groups: Rows by panel and name.
        metric: The metric.
        psr_db: Budget, dB; the highest of each attack if omitted.
        class_names: Names of the classes by number; the numbers themselves if there are none.
    """
    kind = metric_of(metric)
    groups = {
        title: lines
        for title, lines in groups.items()
        if any(_of_classes(row, metric) for row in lines.values())
    }
    figure, axes = panels(len(groups), columns=1)
    looks = _looks(groups)
    names = list(looks)
    width = 0.84 / max(len(names), 1)
    known: set[float] = set()
    for place, (title, lines) in zip(axes, groups.items(), strict=True):
        place.set_title("\n".join(wrap(title, 2 * WIDEST)))
        classes: set[int] = set()
        for name, row in lines.items():
            budget = psr_db if psr_db is not None or not row.budgets else row.budgets[-1]
            found = row.by_class(metric, budget)
            classes |= found.keys()
            at = np.array(list(found)) + width * (names.index(name) - (len(names) - 1) / 2)
            value = np.array([x.value for x in found.values()])
            ends = np.array([[x.value - x.low, x.high - x.value] for x in found.values()])
            place.bar(at, value, width, color=looks[name]["color"])
            place.errorbar(at, value, ends.T.clip(0), fmt="none", ecolor=GREY, elinewidth=0.8)
        for level in _floors(lines, metric):
            place.axhline(level, **FLOOR)
            known.add(level)
        named = max(classes, default=0) < len(class_names)
        words = [class_names[number] if named else str(number) for number in sorted(classes)]
        place.set_xticks(sorted(classes), _fitting(words), fontsize=8.5)
        place.grid(axis="x", visible=False)
    limit(axes, kind)
    shown: list[tuple[str, Look]] = [
        (name, {"color": look["color"], "linewidth": 6}) for name, look in looks.items()
    ]
    shown += [floor_entry(kind)] if known else []
    legend = entries(shown)
    arrange(figure, axes, width=_WIDTH, height=1.6, x="class", y=kind.label, entries=legend)
    return figure


def _fitting(names: Sequence[str]) -> list[str]:
    """Return names of classes that fit beside each other, shortened where they must be."""
    return [shortened(name, max(2, int(_WIDTH / len(names) / _LETTER))) for name in names]


def _of_classes(row: AttackRow, metric: str) -> bool:
    return bool((row.rows["image_class"].notna() & (row.rows["metric"] == metric)).any())


def _looks(groups: Groups) -> dict[str, Look]:
    """Return how each line is drawn: an attack that was trained elsewhere as it is, but hollow."""
    rows = {name: row for lines in groups.values() for name, row in lines.items()}
    attacks = {name: name.removesuffix(row.origin) for name, row in rows.items()}
    looks = attack_looks(attacks.values())
    order = {name: place for place, name in enumerate(looks)}
    return {
        name: looks[attack] | (ELSEWHERE if rows[name].origin else {})
        for name, attack in sorted(attacks.items(), key=lambda item: order[item[1]])
    }


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
    """Sort the records of a frame into panels and lines, by fields."""
    groups: dict[str, dict[str, AttackRow]] = {}
    for row in attack_rows(merged(table)):
        if row.rows.empty:
            continue
        names = {"adversary": row.name, "training": UNDEFENDED}
        for key in {*panel, *line} - {"adversary", "protocol"}:
            if not pd.isna(row.rows.iloc[0][key]):
                names[key] = str(row.rows.iloc[0][key])
        lines = groups.setdefault(_joined(": ", panel, names), {})
        lines.setdefault(_joined(" ", line, names), row)
    return groups


def _joined(mark: str, fields: Iterable[str], names: Mapping[str, str]) -> str:
    return mark.join(names[key] for key in fields if key in names)
