"""Every figure and table with an accuracy carries chance, with an image metric its floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attack_runs import sound
from semveil.records import Record
from semveil.report import figures
from semveil.report.attack_rows import attack_rows, attack_tables, merged, panels_of
from semveil.report.figures.adaptation import learning_curves
from semveil.report.select import floor, frame
from semveil.report.summary import rows, summary
from semveil.report.table import Table

CHANCE = 0.1013


def across(place: Axes) -> set[float]:
    """Return where lines stand that cross a panel, upright or level."""
    found = set()
    for line in place.get_lines():
        for data in (line.get_xdata(), line.get_ydata()):
            values = np.asarray(data, float)
            if len(values) == 2 and values[0] == values[1]:
                found.add(round(float(values[0]), 6))
    return found


def with_leakage(records: list[Record]) -> list[Record]:
    eves = [r for r in records if r.role == "eve" and r.metric == "psnr_db"]
    return [*records, *(replace(r, metric="mi_excess_bits_20", value=0.1) for r in eves)]


def by_attribute(records: list[Record]) -> Figure:
    return figures.by_attribute(frame(records).assign(attribute="Smiling"))


def adaptation(records: list[Record]) -> Figure:
    point = {"shift": "noise", "arm": "all", "seed": 0, "accuracy": 0.9, "flops": 1.0}
    points = pd.DataFrame([point | {"steps": 1}, point | {"steps": 2}])
    return learning_curves(points, {"noise": CHANCE}, "steps")


DRAWN: dict[str, Callable[[list[Record]], Figure]] = {
    "SNR": lambda records: figures.against_snr(frame(records)),
    "dimension": lambda records: figures.against_dimension(frame(records)),
    "privacy": lambda records: figures.privacy_utility(frame(records)),
    "leakage": lambda records: figures.accuracy_and_leakage(frame(with_leakage(records)), 10.0),
    "attributes": by_attribute,
    "adaptation": adaptation,
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_of_accuracies_has_chance_in_every_panel(name: str, quick: list[Record]) -> None:
    figure = DRAWN[name](quick)
    assert figure.axes
    assert all(CHANCE in across(place) for place in figure.axes)
    assert "chance" in " ".join(text.get_text() for text in figure.legends[0].get_texts())


def test_figures_of_attacks_have_chance_in_every_panel() -> None:
    panels = panels_of(attack_rows(merged(frame(sound()))))
    for figure in (figures.against_psr(panels), figures.by_class(panels)):
        assert figure.axes
        assert all(0.6 in across(place) for place in figure.axes)
        assert figure.legends[0].get_texts()[-1].get_text() == "chance"


@pytest.mark.parametrize("metric", ["psnr_db", "ssim"])
def test_a_figure_of_images_has_the_floor_in_every_panel(metric: str, quick: list[Record]) -> None:
    mean = next(record for record in quick if record.metric == "psnr_mean_image_db")
    records = [*quick, replace(mean, metric=f"{metric}_floor", value=0.43)]
    for place in figures.against_snr(frame(records), metric).axes:
        assert 0.43 in across(place)


def floors_of(table: Table) -> list[dict[str, str]]:
    """Return the row of floors of each group of a table, by column."""
    titles = [f"{column.group} {column.title}" for column in table.columns[1:]]
    lines = [next(line for line in group if line.name == "chance") for _, group in table.groups]
    return [dict(zip(titles, (c.words for c in line.cells), strict=True)) for line in lines]


def test_every_table_has_a_row_with_chance(quick: list[Record]) -> None:
    for found, expected in (
        (floors_of(summary(rows(frame(quick)))), "10.1"),
        *((floors_of(table), "60.0") for table in attack_tables(attack_rows(frame(sound())))),
    ):
        assert found
        for line in found:
            shown = {words for title, words in line.items() if "accuracy" in title}
            assert shown == {expected}


def test_without_a_record_of_chance_it_is_the_largest_classs_share() -> None:
    assert floor(frame(sound()), "accuracy", dataset="digits") == pytest.approx(0.6)
    assert floor(frame(sound()), "psnr_db", dataset="digits") is None
