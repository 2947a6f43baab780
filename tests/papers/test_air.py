"""The study of links on the air: budgets that decide its claims, and one without GNU Radio."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from semveil.experiment.jobs import JobContext, run_job
from semveil.experiment.training import Hardware
from semveil.metrics import wilson
from semveil.papers import PAPERS
from semveil.papers.work import air
from semveil.papers.work.receiver import CARRIERS, _poisson
from semveil.radio import HardwareChannel
from semveil.radio.measure import detection
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


def test_the_loss_of_an_equaliser_that_knows_the_channel_is_not_synchronisations(tmp_path):
    job = jobs("cpu")["loss-single-8"]
    job = replace(job, params=job.params | {"frames": 128})
    run_job(tmp_path / "job", job, JobContext("air", Hardware(torch.device("cpu"))))
    found = {each.metric: each for each in read_records(tmp_path / "job" / "records.jsonl")}
    assert 0 < found["snr_loss_db"].ci_low < found["snr_loss_db"].ci_high < 0.5
    # Such an equaliser, simulated: 16 cyclic blocks of 64 symbols over each of 500 channels.
    random = np.random.default_rng(0)

    def normal(*shape):
        return np.sqrt(0.5) * (random.normal(size=shape) + 1j * random.normal(size=shape))

    profile = np.exp(-np.arange(8) / 1.5)
    response = np.fft.fft(normal(500, 1, 8) * np.sqrt(profile / profile.sum()), 64)
    sent, gain = normal(500, 16, 64), np.abs(response) ** 2
    heard = response * np.fft.fft(sent) + np.sqrt(0.1) * np.fft.fft(normal(500, 16, 64))
    equalised = np.fft.ifft(response.conj() * heard / (gain + 0.1))
    # An MMSE estimate of unit power with this error has an SNR of 1/error − 1.
    snr = 1 / (np.abs(equalised - sent) ** 2).mean((1, 2)) - 1
    expected = 10 * np.log10(10 * gain.mean((1, 2)) / snr)
    loss = found["equaliser_loss_db"]
    assert loss.value == pytest.approx(expected.mean(), abs=0.3)
    direct = detection(CARRIERS["single"], HardwareChannel(snr_db=10.0, taps=8), 128, 256, cfo=0.9)
    assert found["snr_loss_db"].value + loss.value == pytest.approx(direct.loss_db, abs=1e-4)
