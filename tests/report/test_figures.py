"""Figures: what they draw, and that the same records give the same bytes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semveil.errors import SemveilError
from semveil.records import Record
from semveil.report import figures
from semveil.report.select import frame, strongest, titles, where


def lines(place: Axes) -> list[list[float]]:
    """The y values of a panel's data lines, without error bars and floors."""
    return [
        list(np.asarray(line.get_ydata(), float))
        for line in place.get_lines()
        if line.get_marker() not in {"None", "_", "|"} and len(line.get_xdata()) > 1  # type: ignore[arg-type]
    ]


def title(place: Axes) -> str:
    return place.get_title("left")


def test_snr_curves_are_the_records(quick: list[Record]) -> None:
    table = frame(quick)
    figure = figures.against_snr(table)
    named = [" ".join(title(place).split()).removesuffix(", PSR −10 dB") for place in figure.axes]
    assert named == list(titles(table).values())
    place = figure.axes[0]
    bob = where(table, scheme="multitask", role="bob", metric="accuracy")
    eve = where(strongest(table), scheme="multitask", protocol="adaptive", metric="accuracy")
    assert bob["value"].tolist() in lines(place)
    assert eve["value"].tolist() in lines(place)
    chance = [line for line in place.get_lines() if list(line.get_ydata()) == [0.1013, 0.1013]]  # type: ignore[arg-type]
    assert chance


def test_psnr_curves_have_the_mean_image_as_floor(quick: list[Record]) -> None:
    figure = figures.against_snr(frame(quick), "psnr_db")
    for place in figure.axes:
        assert [11.03, 11.03] in [list(line.get_ydata()) for line in place.get_lines()]  # type: ignore[arg-type]


def test_dimension_curves_have_a_panel_per_dataset_and_protocol(study: list[Record]) -> None:
    figure = figures.against_dimension(frame(study))
    assert [title(place) for place in figure.axes] == [
        "mnist · Eve (paper’s training)",
        "mnist · strongest fresh Eve",
        "cifar10 · Eve (paper’s training)",
        "cifar10 · strongest fresh Eve",
    ]
    bob = where(
        frame(study),
        scheme="minmax",
        dataset="cifar10",
        role="bob",
        metric="accuracy",
        test_snr_db=10.0,
    )
    assert bob["value"].tolist() in lines(figure.axes[2])


def test_privacy_utility_draws_paper_hollow_and_fresh_filled(quick: list[Record]) -> None:
    one = [record for record in quick if record.scheme == "minmax"]
    (place,) = figures.privacy_utility(frame(one)).axes
    dots = {
        float(np.asarray(line.get_xdata(), float)[0]): line.get_markerfacecolor()
        for line in place.get_lines()
        if line.get_marker() == "o"
    }
    values = {
        record.protocol: record.value
        for record in one
        if record.role == "eve"
        and record.test_snr_db == 10.0
        and record.metric == "accuracy"
        and record.adversary in {"inference/wide", "inference/mlp"}
        and (record.protocol, record.adversary) != ("adaptive", "inference/mlp")
    }
    assert dots == {
        values["paper"]: "white",
        values["adaptive"]: figures.palette(frame(one))["minmax"],
    }


def test_a_system_of_several_seeds_is_one_point(quick: list[Record]) -> None:
    bob = next(r for r in quick if r.role == "bob" and r.metric == "accuracy")
    image = {"role": "eve", "protocol": "adaptive", "metric": "mi_excess_bits_20"}
    eve = replace(bob, **image, target="image", adversary="inversion/wide")
    records = [replace(bob, seed=n, value=0.8 + 0.1 * n) for n in range(2)]
    records += [replace(eve, seed=n, value=0.1 + 0.2 * n) for n in range(2)]
    (place,) = figures.accuracy_and_leakage(frame(records), bob.test_snr_db).axes
    (point,) = place.containers
    assert point.lines[0].get_xydata() == pytest.approx(np.array([[0.2, 0.85]]))


def test_colours_stay_with_the_scheme(quick: list[Record]) -> None:
    record = quick[0]
    few, many = (
        figures.palette(frame([replace(record, scheme=name) for name in names]))
        for names in (["minmax"], ["laplace", "minmax", "multitask"])
    )
    assert few["minmax"] == many["minmax"]
    assert len(set(many.values())) == 3


def test_variants_share_their_schemes_colour_and_controls_tint_it(quick: list[Record]) -> None:
    changes = [{"params": {"weight": 0.1}}, {"variant": "latent"}, {}, {"control": "noise"}]
    records = [replace(quick[0], scheme="minmax", **change) for change in changes]
    colours = figures.palette(frame(records))
    *same, control = (colours[record.system.label] for record in records)
    assert len(set(same)) == 1
    assert control not in same


def test_many_variants_are_named_by_their_scheme(quick: list[Record]) -> None:
    many = [
        replace(record, params={"weight": weight})
        for weight in range(20)
        for record in quick
        if record.scheme == "minmax"
    ]
    figure = figures.privacy_utility(frame(many))
    assert figure.legends[0].get_texts()[0].get_text() == "minmax"


def test_many_schemes_differ_in_colour_or_shape(quick: list[Record]) -> None:
    mine = [record for record in quick if record.scheme == "minmax"]
    many = [replace(record, scheme=f"entry-{at}") for at in range(20) for record in mine]
    # A link without a task takes a colour, and has no point.
    many += [replace(r, scheme="a-pictures", metric="psnr_db") for r in mine if r.role == "bob"]
    (place,) = figures.privacy_utility(frame(many)).axes
    points = {
        (str(line.get_color()), str(line.get_marker()))
        for line in place.get_lines()
        if line.get_marker() not in {"None", "_", "|"}
    }
    assert len(points) == 20


def test_channels_that_differ_stay_in_one_panel(quick: list[Record]) -> None:
    split = [
        replace(record, channel="awgn/perfect") if record.role == "eve" else record
        for record in quick
    ]
    assert len(figures.against_snr(frame(split)).axes) == 6
    assert len(figures.privacy_utility(frame(split)).axes) == 1


def test_reconstruction_grid_has_a_row_per_party(samples: dict[str, np.ndarray]) -> None:
    figure = figures.reconstruction_grid(samples, columns=5, scores={"bob/multitask": "21.3 dB"})
    assert len(figure.axes) == 5 * (1 + 1 + 6)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert (shown == samples["originals"][0, 0]).all()
    assert figure.axes[0].images[0].get_interpolation() == "none"
    assert "21.3 dB" in figure.axes[5].texts[0].get_text()


def test_reconstruction_grid_takes_colour_images_and_few_of_them() -> None:
    image = np.zeros((2, 3, 8, 8), dtype=np.uint8)
    figure = figures.reconstruction_grid({"originals": image, "bob/a": image[:1]})
    assert len(figure.axes) == 2


def test_constellation_draws_every_waveform(samples: dict[str, np.ndarray]) -> None:
    figure = figures.constellation(samples)
    assert [title(place) for place in figure.axes][:2] == ["multitask", "minmax"]
    assert len({place.get_xlim() for place in figure.axes}) == 1


def test_training_curves_skip_what_is_not_finite() -> None:
    history = [
        {"step": step, "stage": "link", "loss": loss, "other": None}
        for step, loss in enumerate([2.0, float("nan"), 1.0])
    ]
    (place,) = figures.training_curves(history).axes
    assert lines_of_training(place) == [[2.0, 1.0]]


def test_losses_and_systems_are_named_in_words(quick: list[Record]) -> None:
    history = [{"step": step, "stage": "ibal", "bob_ce": 1.0, "link_total": 2.0} for step in (1, 2)]
    legend = figures.training_curves(history).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == [
        "Bob’s cross-entropy",
        "link’s total loss",
    ]
    shown = [" ".join(title(place).split()) for place in figures.against_snr(frame(quick)).axes]
    assert shown[4] == "cooperative, control: noise"
    assert not any("/" in words for words in shown)


def lines_of_training(place: Axes) -> list[list[float]]:
    return [list(np.asarray(line.get_ydata(), float)) for line in place.get_lines()]


def test_nothing_to_draw_is_no_error() -> None:
    empty = frame([])
    for figure in (
        figures.against_snr(empty),
        figures.against_dimension(empty),
        figures.privacy_utility(empty),
        figures.training_curves([]),
        figures.constellation({}),
    ):
        assert not figure.axes


def test_names_are_text_not_mathematics(quick: list[Record], tmp_path: Path) -> None:
    odd = [replace(record, scheme="a$b$ <i>&") for record in quick[:40]]
    figures.save(figures.against_snr(frame(odd)), tmp_path / "a.svg")
    assert "a$b$ &lt;i&gt;&amp;" in (tmp_path / "a.svg").read_text()


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_same_records_same_bytes(
    quick: list[Record], samples: dict[str, np.ndarray], tmp_path: Path, ending: str
) -> None:
    def draw() -> list[Figure]:
        return [figures.privacy_utility(frame(quick)), figures.reconstruction_grid(samples)]

    for number, figure in enumerate(draw() + draw()):
        figures.save(figure, tmp_path / f"{number}.{ending}")
    for number in (0, 1):
        first, second = (tmp_path / f"{k}.{ending}" for k in (number, number + 2))
        assert first.read_bytes() == second.read_bytes()


def test_a_saved_figure_has_no_date(quick: list[Record], tmp_path: Path) -> None:
    figures.save(figures.against_snr(frame(quick)), tmp_path / "a.svg")
    assert "<dc:date>" not in (tmp_path / "a.svg").read_text()


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SemveilError, match=r"must end in \.svg or \.png"):
        figures.save(Figure(), tmp_path / "a.pdf")


def test_inline_figures_share_no_names(quick: list[Record]) -> None:
    figure = figures.against_snr(frame(quick))
    first, second = (figures.inline(figure, name=name) for name in ("one", "two"))
    names = re.findall(r'\bid="([^"]+)"', first)
    assert names
    assert all(name.startswith("one-") for name in names)
    assert not set(names) & set(re.findall(r'\bid="([^"]+)"', second))
    for used in re.findall(r'(?:href="#|url\(#)([^")]+)', first):
        assert used in names
    assert "<style" not in first
    assert "http" not in first


def test_short_coordinates_leave_the_words_alone() -> None:
    figure = Figure()
    figure.text(0.5, 0.5, "value 0.123456")
    assert "value 0.123456" in figures.inline(figure, name="a")


def test_the_readers_own_settings_do_not_matter(
    quick: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib

    figures.save(figures.privacy_utility(frame(quick)), tmp_path / "a.svg")
    with matplotlib.rc_context({"axes.facecolor": "pink", "font.size": 30}):
        figures.save(figures.privacy_utility(frame(quick)), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_the_page_imports_neither_matplotlib_nor_torch() -> None:
    code = (
        "import sys, semveil.report.page, semveil.report.table;"
        "assert not {'matplotlib', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_history_of_several_systems_has_a_panel_each(history: list[dict[str, Any]]) -> None:
    assert len(figures.training_curves(history).axes) == 4


def test_make_run_is_a_run(make_run: Callable[..., Path], tmp_path: Path) -> None:
    assert (make_run(tmp_path / "a", []) / "records.jsonl").exists()
