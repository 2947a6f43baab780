"""Where no class of images is named, nothing that is shown comes from the images of one class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from attack_runs import bob, sound
from semveil.papers.words import facts
from semveil.records import Record
from semveil.report import figures
from semveil.report.attack_rows import attack_rows, attack_tables, merged, panels_of
from semveil.report.comparison import compare
from semveil.report.folder import RunFolder
from semveil.report.sanity_checks import violations
from semveil.report.select import floor, frame, strongest, where
from semveil.report.summary import by_snr, rows, summary
from semveil.result import Result


def drawn(figure: Figure) -> list[list[float]]:
    lines = [line for place in figure.axes for line in place.get_lines()]
    return [np.asarray(line.get_ydata(), float).round(6).tolist() for line in lines]


def with_classes(records: list[Record]) -> list[Record]:
    """Put records of single classes, of another value, before and behind those of all images."""
    of = [r for r in records if r.image_class is None and r.role != "system"]
    before, behind = (
        [replace(r, image_class=k, value=v, ci_low=v, ci_high=v, n=7) for r in of]
        for k, v in ((0, 99.0), (1, -99.0))
    )
    return [*before, *records, *behind]


AUDITED: dict[str, Callable[[list[Record]], object]] = {
    "rows": lambda found: [str(row) for row in rows(frame(found))],
    "summary": lambda found: str(summary(rows(frame(found))).groups),
    "by SNR": lambda found: str(by_snr(rows(frame(found))).groups),
    "strongest": lambda found: where(strongest(frame(found)))["value"].tolist(),
    "chance": lambda found: floor(frame(found), "accuracy"),
    "result": lambda found: Result(found).strongest("accuracy", 10.0),
    "plot": lambda found: drawn(Result(found).plot("psnr_db", "snr_db")),
    "comparison": lambda found: compare([RunFolder("a", found)]).to_pandas().to_json(),
    "SNR": lambda found: drawn(figures.against_snr(frame(found))),
    "dimension": lambda found: drawn(figures.against_dimension(frame(found))),
    "privacy": lambda found: drawn(figures.privacy_utility(frame(found))),
    "images": lambda found: drawn(figures.image_quality(frame(found))),
    "facts": lambda found: facts(frame(found)),
}
ATTACKED: dict[str, Callable[[list[Record]], object]] = {
    "tables": lambda found: [str(t.groups) for t in attack_tables(attack_rows(frame(found)))],
    "checks": lambda found: violations(attack_rows(merged(frame(found)))),
    "curves": lambda found: drawn(figures.against_psr(panels_of(attack_rows(frame(found))))),
    "plot": lambda found: drawn(Result(found).plot("accuracy")),
    "facts": lambda found: facts(frame(found)),
}


@pytest.mark.parametrize("name", AUDITED)
def test_an_audit_shows_all_images(name: str, quick: list[Record]) -> None:
    assert AUDITED[name](with_classes(quick)) == AUDITED[name](quick)


@pytest.mark.parametrize("name", ATTACKED)
def test_attacks_show_all_images(name: str) -> None:
    chance = replace(sound()[0], role="system", metric="chance", value=0.6)
    records = [*sound(), chance]
    assert ATTACKED[name](with_classes(records)) == ATTACKED[name](records)


def test_a_row_names_the_classes_apart() -> None:
    (row,) = (row for row in attack_rows(frame(sound())) if row.attack == "pgd")
    assert {label: found.n for label, found in row.by_class("accuracy", -2.0).items()} == {
        0: 600,
        1: 400,
    }
    assert row.by_class("accuracy", -10.0) == {}
    assert row.at("accuracy", -2.0).value == 0.05


@pytest.mark.parametrize("metric", ["psnr_db", "ssim"])
def test_a_figure_by_class_has_the_floor_of_its_metric(metric: str) -> None:
    each = {(metric, label): 0.5 for label in range(3)}
    records = [*bob({metric: 0.7, **each}), *bob({metric: 0.6, **each}, "pgd", -2.0)]
    records.append(replace(records[0], role="system", metric=f"{metric}_floor", value=0.43))
    (place,) = figures.by_class(panels_of(attack_rows(frame(records))), metric).axes
    assert sorted({round(float(bar.get_height()), 3) for bar in place.patches}) == [0.5]
    assert len(place.patches) == 6
    assert [0.43, 0.43] in [np.asarray(line.get_ydata()).tolist() for line in place.get_lines()]
