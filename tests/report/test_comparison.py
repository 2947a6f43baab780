"""Systems of several runs beside each other, at one SNR and one bandwidth ratio."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import CommandLine, refusal, succeed
from semveil.errors import SemveilError
from semveil.records import Record, SystemName
from semveil.report.page import write_report
from semveil.report.select import frame
from semveil.report.summary import rows
from semveil.result import Result

MakeRun = Callable[..., Path]


def brought(quick: list[Record], **fields: object) -> list[Record]:
    """Return records as an audit of somebody's model makes them."""
    changed = {"scheme": "mine", "study": None, "train_snr_db": None, "seed": 5, **fields}
    return [dataclasses.replace(each, **changed) for each in quick if each.scheme == "minmax"]  # type: ignore[arg-type]


def at(records: list[Record], *, label: str, snr_db: float, role: str) -> float:
    """Return the best accuracy in records."""
    return max(
        record.value
        for record in records
        if (record.system.label, record.test_snr_db, record.role) == (label, snr_db, role)
        and record.metric == "accuracy"
        and record.protocol in (None, "none", "adaptive")
    )


@pytest.mark.parametrize("snr_db", [0, 10.0])
def test_a_brought_model_stands_beside_a_run_at_one_snr(
    quick: list[Record], quick_run: Path, snr_db: float
) -> None:
    mine = brought(quick)
    found = Result(mine).compare(quick_run, snr_db=snr_db)
    table = found.to_pandas().set_index("system")
    assert list(table.index) == [
        "mine",
        *(row.name for row in rows(frame(quick))),
    ]
    for label, records in (("mine", mine), ("multitask", quick)):
        for role in ("bob", "eve"):
            wanted = at(records, label=label, snr_db=snr_db, role=role)
            assert table.loc[label, f"{role}_accuracy"] == pytest.approx(wanted)
    assert found.different == ["SNR of training", "seeds"]
    assert table.loc["mine", "SNR of training"] == "unknown"
    assert table.loc["multitask", "SNR of training"] == "10 dB"
    assert f"Bob and Eve at {snr_db:g} dB. Not equal: SNR of training, seeds." in found.about
    words = str(found)
    assert "seeds: 5" in words
    assert "bandwidth ratio: 0.125" in words
    assert max(map(len, words.splitlines())) <= 100


def test_a_page_of_another_kind_is_refused(quick: list[Record], tmp_path: Path) -> None:
    found = Result(quick).compare(snr_db=10)
    with pytest.raises(SemveilError, match=r"out\.pdf: the report is an HTML page"):
        found.report(tmp_path / "out.pdf")
    assert not (tmp_path / "out.pdf").exists()


def test_each_system_has_the_bandwidth_nearest_to_the_one_asked_for(study: list[Record]) -> None:
    mine = Result(brought(study, dataset="mnist"))
    few = [record for record in study if record.dataset == "mnist"]
    wide = [r for r in few if r.scheme != "multitask" or r.latent_dim == 64]
    with pytest.raises(SemveilError, match=r"several bandwidth ratios: choose one of 0.03125, "):
        mine.compare(Result(wide), snr_db=10)
    found = mine.compare(Result(wide), snr_db=10, bandwidth_ratio=0.126)
    table = found.to_pandas().set_index("system")
    assert table.loc["mine", "bandwidth ratio"] == "0.125"
    assert table.loc["bottleneck", "bandwidth ratio"] == "0.125"
    assert table.loc["multitask", "bandwidth ratio"] == "0.5"
    assert "bandwidth ratio" in found.different
    measured = found.table[found.table["role"] != "system"]
    assert set(measured["latent_dim"]) == {16.0, 64.0}


def test_what_was_not_measured_there_is_left_out_and_said(quick: list[Record]) -> None:
    mine = [record for record in brought(quick) if record.test_snr_db in (None, 0.0)]
    found = Result(quick).compare(Result(mine), snr_db=10)
    assert "mine" not in set(found.to_pandas()["system"])
    assert "Left out: mine of mine, measured at 0 dB only." in found.about
    with pytest.raises(SemveilError, match=r"no system was measured at −7 dB; SNRs .*: 0, 5, 10"):
        Result(quick).compare(Result(mine), snr_db=-7)
    with pytest.raises(SemveilError, match="nothing to compare"):
        Result().compare(Result(mine))


def test_systems_share_axes_and_pictures(
    quick: list[Record], quick_run: Path, samples: dict[str, np.ndarray]
) -> None:
    pictures = {"originals": samples["originals"], "eve/mine": samples["originals"]}
    found = Result(brought(quick), pictures).compare(quick_run, snr_db=10)
    bob, eve = found.plot("accuracy").axes
    assert (len(bob.containers), len(eve.containers)) == (7, 7)
    assert bob.get_ylim() == eve.get_ylim()
    (accuracies,) = found.plot_accuracies().axes
    assert len([each for each in accuracies.containers if each.lines[0].get_marker()]) >= 7
    images = found.plot_images()
    assert images is not None
    words = [text.get_text() for place in images.axes for text in place.texts]
    assert words[:2] == ["originals", "mine\nEve"]
    assert "multitask\nBob" in words
    other = {"originals": 255 - samples["originals"], "eve/mine": samples["originals"]}
    without = Result(brought(quick), other).compare(Result(quick), snr_db=10).plot_images()
    assert without is not None
    assert len(without.axes) == 2 * 6


def test_systems_of_one_label_are_told_apart(quick: list[Record]) -> None:
    few = [record for record in quick if record.scheme == "minmax"]
    again = [dataclasses.replace(record, study="second") for record in few]
    found = Result(few).compare(Result(again))
    assert list(found.to_pandas()["system"]) == ["minmax, quickstart", "minmax, second"]
    assert found.snr_db == 10


def test_the_command_writes_the_comparison_first(
    semveil: CommandLine, make_run: MakeRun, quick: list[Record], quick_run: Path, tmp_path: Path
) -> None:
    mine = make_run(tmp_path / "mine", brought(quick), pictures=False)
    page = tmp_path / "page.html"
    succeed(semveil("report", mine, quick_run, "--snr-db", "10", "--out", page))
    text = page.read_text()
    assert text.index('id="comparison"') < text.index('id="summary"')
    section = text.split('id="comparison"')[1].split("</section>")[0]
    assert "Not equal: SNR of training, seeds." in section
    assert section.count("<svg ") == 4  # two accuracies, PSNR, pictures
    assert "SNR of training: unknown" in section
    line = refusal(semveil("report", mine, quick_run, "--snr-db", "3", "--out", page))
    assert line.startswith("no system was measured at 3 dB")


def test_folders_that_differ_in_the_seed_alone_are_one_row(
    make_run: MakeRun, quick: list[Record], tmp_path: Path
) -> None:
    few = [record for record in quick if record.scheme == "minmax"]
    lower = [
        dataclasses.replace(record, seed=1, value=record.value - 0.1, ci_low=None, ci_high=None)
        if record.role == "bob" and record.metric == "accuracy"
        else dataclasses.replace(record, seed=1)
        for record in few
    ]
    first, second = (
        make_run(tmp_path / name, records, pictures=False)
        for name, records in (("seed-0", few), ("seed-1", lower))
    )
    write_report(tmp_path / "a.html", [first, second])
    text = (tmp_path / "a.html").read_text()
    assert text.count('<th scope="row">minmax</th>') == 1
    assert "seeds 0, 1" in text
    (row,) = rows(frame([*few, *lower]))
    bob = row.at("bob")
    assert bob is not None
    assert f"{100 * bob.value:.1f} <small>" in text
    # With an own seed each, but another SNR of training, they are two.
    other = [dataclasses.replace(record, train_snr_db=20.0) for record in lower]
    third = make_run(tmp_path / "other", other, pictures=False)
    write_report(tmp_path / "b.html", [first, third])
    assert (tmp_path / "b.html").read_text().count('<th scope="row">minmax</th>') == 2


def test_names_of_systems_are_kept(quick: list[Record]) -> None:
    named = SystemName("mine", params={"epsilon": 0.1})
    mine = [
        dataclasses.replace(record, scheme=named.scheme, params=named.params, study=None)
        for record in quick
        if record.scheme == "cooperative" and not record.control
    ]
    table = Result(mine).compare(Result(quick)).to_pandas()
    assert isinstance(table, pd.DataFrame)
    assert table["system"].iloc[0].startswith("mine (epsilon = 0.1)")
