"""The study of links on the air: budgets that decide its claims, and one without GNU Radio."""

from __future__ import annotations

import math

import pytest
import torch

from semveil.experiment.jobs import JobContext, run_job
from semveil.experiment.training import Hardware
from semveil.metrics import wilson
from semveil.papers import PAPERS
from semveil.papers.work import air
from semveil.papers.work.receiver import _poisson
from semveil.records import read_records
from semveil.report.select import frame

PAPER = PAPERS.get("air")()


def jobs(budget):
    return {job.name: job for job in PAPER.jobs(budget, 0)}


def test_intervals_of_rare_events_are_those_of_the_poisson_distribution():
    none = _poisson(0, 200_000_000)
    assert (none.value, none.low) == (0, 0)
    # P(no event) = exp(-mean) = 2.5 %.
    assert none.high == pytest.approx(-math.log(0.025) / 2)


@pytest.mark.parametrize("budget", ["cpu", "gpu"])
def test_enough_is_measured_to_confirm_the_bounds(budget):
    found = jobs(budget)
    assert _poisson(0, found["noise"].params["samples"]).high <= 1
    for carrier in ("ofdm", "single"):
        count = found[f"frames-{carrier}"].params["frames"]
        assert count >= 2000
        assert wilson(count, count).low >= 0.99


def test_without_gnu_radio_its_rows_are_missing_and_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(air, "installed", lambda: False)
    job = jobs("smoke")["classical-digits"]
    run_job(tmp_path / "job", job, JobContext("air", Hardware(torch.device("cpu"))))
    records = read_records(tmp_path / "job" / "records.jsonl")
    assert {record.params["path"] for record in records} == {air.OWN, air.KNOWN, air.OURS}
    page = PAPER.render(frame(records)).text
    assert "GNU Radio was not installed" in page
