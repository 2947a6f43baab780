"""A result: what it names, draws and writes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import semveil
from semveil.errors import SemveilError
from semveil.records import Record, read_records

COMMON = {"scheme": "mine", "dataset": "digits", "channel": "awgn/perfect", "n": 100, "seed": 0}


def record(value, **fields):
    ends = {"ci_low": value - 0.05, "ci_high": value + 0.05}
    return Record(
        **{"metric": "accuracy", "target": "label", "value": value, **ends, **COMMON, **fields}
    )


def eve(value, snr_db, adversary="inference/mlp", **fields):
    common = {"role": "eve", "protocol": "adaptive", "test_snr_db": snr_db, "adversary": adversary}
    return record(value, **common, **fields)


def attacked(value, psr_db, adversary="pgd"):
    common = {"role": "bob", "protocol": "adaptive", "test_snr_db": 10.0}
    return record(value, psr_db=psr_db, adversary=adversary, **common)


@pytest.fixture
def found():
    return semveil.Result(
        [
            record(0.1, role="system", metric="chance", test_snr_db=None),
            record(0.95, role="bob", test_snr_db=10.0),
            record(0.93, role="bob", test_snr_db=0.0),
            eve(0.4, 10.0, "inference/linear"),
            eve(0.6, 10.0),
            eve(0.3, 0.0),
            eve(21.0, 10.0, "inversion/linear", metric="psnr_db", target="image"),
            *(attacked(value, psr) for value, psr in ((0.7, -10.0), (0.2, -2.0))),
        ],
        {"originals": np.zeros((2, 1, 8, 8), np.uint8), "labels": np.array([3, 5])},
    )


def test_the_strongest_eavesdropper_is_found_at_a_whole_number_of_decibels(found):
    assert found.strongest("accuracy", 10).value == 0.6
    assert found.strongest("accuracy", 0).adversary == "inference/mlp"


def test_another_snr_is_answered_with_those_that_were_measured(found):
    with pytest.raises(SemveilError, match=r"at 4 dB; accuracy was measured at 0, 10 dB"):
        found.strongest("accuracy", 4)
    with pytest.raises(SemveilError, match="did you mean 'psnr_db'"):
        found.strongest("psnr", 10)


def test_records_become_rows(found):
    table = found.to_pandas()
    assert len(table) == len(found.records)
    assert table["value"].tolist() == [r.value for r in found.records]
    found.records.insert(0, dataclasses.replace(found.records[1], image_class=3, value=0.5))
    assert found.to_pandas().equals(table)
    assert found.to_pandas(by_class=True)["image_class"].dropna().tolist() == [3.0]


def levels(figure):
    """Return the heights of the horizontal lines that cross whole panels."""
    lines = [line for axes in figure.axes for line in axes.lines]
    return {float(line.get_ydata()[0]) for line in lines if list(line.get_xdata()) == [0, 1]}


@pytest.mark.parametrize("x", ["psr_db", "snr_db"])
def test_every_plot_of_an_accuracy_carries_chance(found, x):
    figure = found.plot("accuracy", x=x)
    assert 0.1 in levels(figure)
    drawn = {float(y) for axes in figure.axes for line in axes.lines for y in line.get_ydata()}
    assert drawn >= ({0.7, 0.2} if x == "psr_db" else {0.95, 0.93, 0.6, 0.3})


def test_a_plot_of_what_was_not_measured_is_refused(found):
    with pytest.raises(SemveilError, match="did you mean 'psr_db'"):
        found.plot("accuracy", x="psr")
    with pytest.raises(SemveilError, match="unknown metric 'lpips'"):
        found.plot("lpips")
    quiet = semveil.Result([r for r in found.records if r.psr_db is None])
    with pytest.raises(SemveilError, match="evaluate with attacks"):
        quiet.plot("accuracy")


def test_a_written_result_is_reported_on_like_a_run(found, tmp_path, semveil):
    folder = tmp_path / "runs" / "mine"
    assert read_records(found.write(folder)) == found.records
    result = semveil("report", folder, "--out", tmp_path / "page.html")
    assert result.code == 0
    page = found.report(tmp_path / "direct.html").read_text()
    for text in (page, (tmp_path / "page.html").read_text()):
        assert "mine" in text
        assert "<svg" in text
    with np.load(folder / "samples.npz") as samples:
        assert sorted(samples.files) == ["labels", "originals"]


def test_records_alone_go_into_a_file(found, tmp_path):
    path = tmp_path / "new" / "some.jsonl"
    found.write(path)
    assert [p.name for p in path.parent.iterdir()] == ["some.jsonl"]
    assert read_records(path) == found.records


def test_what_cannot_be_written_is_said(found, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SemveilError, match="file"):
        found.write(tmp_path / "file" / "run")
    with pytest.raises(SemveilError, match="no records"):
        semveil.Result().report(tmp_path / "page.html")


def test_a_distance_is_least_for_the_strongest(found):
    far, near = (
        dataclasses.replace(eve(value, 10.0), metric="mse_floor_db", target="image")
        for value in (0.4, 0.2)
    )
    assert semveil.Result([far, near]).strongest("mse_floor_db", 10).value == 0.2


def test_a_result_is_shown_in_one_line(found):
    assert repr(found) == "<Result: 9 records of mine>"
    assert "<table" in found._repr_html_()
    assert "\n" not in repr(semveil.data.load("digits"))


def test_axes_go_by_the_names_of_their_columns(found):
    assert levels(found.plot(x="test_snr_db")) == levels(found.plot(x="snr_db"))


@pytest.mark.parametrize(
    ("metric", "x"), [("psnr_db", "psr_db"), ("chance", "snr_db"), ("accuracy", "latent_dim")]
)
def test_a_figure_without_lines_is_refused(found, metric, x):
    with pytest.raises(SemveilError, match="was not measured against"):
        found.plot(metric, x=x)


def test_what_the_name_of_a_file_does_not_promise_is_refused(found, tmp_path):
    with pytest.raises(SemveilError, match="HTML"):
        found.report(tmp_path / "out.pdf")
    with pytest.raises(SemveilError, match="name a folder"):
        found.write(tmp_path / "records.csv")
    assert list(tmp_path.iterdir()) == []
    found.write(tmp_path / "run-0.5")
    assert (tmp_path / "run-0.5" / "records.jsonl").is_file()


def test_the_strongest_needs_a_number(found):
    with pytest.raises(SemveilError, match="expected a number in dB, not None"):
        found.strongest("accuracy", snr_db=None)


@pytest.mark.parametrize("given", [20, {"steps": 3}])
def test_settings_of_an_attack_are_named(given):
    with pytest.raises(SemveilError, match=r"name its settings, as in PGD\(steps="):
        semveil.attacks.PGD(given)


@pytest.mark.parametrize(("metric", "floor"), [("accuracy", "chance"), ("psnr_db", "floor")])
def test_the_caption_of_attacks_names_the_floor_that_the_table_has(metric, floor):
    from semveil.report.attack_rows import attack_table

    bob = {"role": "bob", "test_snr_db": 10.0, "metric": metric}
    shown = [record(20.0, **bob), record(15.0, psr_db=-6.0, adversary="pgd", **bob)]
    assert attack_table(shown).caption.endswith(f" {floor}: without the signal.")
