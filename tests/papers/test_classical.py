"""The comparison with a classical link: what its jobs measure, and what its page says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from semveil.experiment.jobs import JobContext, read_images, run_job
from semveil.experiment.training import Hardware
from semveil.papers import PAPERS
from semveil.records import Record, SystemName, read_records
from semveil.report.select import frame, where

PAPER = PAPERS.get("classical")()
SNRS_DB = (3.0, 5.0, 7.0, 9.0, 10.0, 11.0, 13.0, 15.0)


def test_one_stream_takes_the_symbols_that_it_takes():
    jobs = PAPER.jobs("cpu", 0)
    assert [job.params["ofdm_symbols"] for job in jobs[:4]] == [76, 38, 19, 13]
    for job in jobs:
        symbols = job.params.get("ofdm_symbols", 6)
        assert job.recipe.link.latent_dim == 2 * 64 * symbols
    # Everybody crosses the same channel.
    assert len({job.recipe.bob.model_dump_json() for job in jobs}) == 1


def measured(tmp_path, name):
    """Do one job of the smallest budget and return its records."""
    job = next(job for job in PAPER.jobs("smoke", 0) if job.name == name)
    run_job(tmp_path, job, JobContext("classical", Hardware(torch.device("cpu"))))
    return frame(read_records(tmp_path / "records.jsonl"))


def test_what_is_lost_shows_in_the_mean(tmp_path):
    table = measured(tmp_path, "jpeg2000-4-0.5-6")
    bob, alone = where(table, role="bob"), where(table, role="system", metric="psnr_db")
    rate = {
        snr_db: float(where(bob, metric="lost_rate", test_snr_db=snr_db)["value"].iloc[0])
        for snr_db in (3.0, 15.0)
    }
    psnr = {
        snr_db: float(where(bob, metric="psnr_db", test_snr_db=snr_db)["value"].iloc[0])
        for snr_db in (3.0, 15.0)
    }
    assert rate[3.0] > 0 == rate[15.0]
    # Without errors it is the codec's own quality; with them, less.
    assert psnr[15.0] == pytest.approx(float(alone["value"].iloc[0]))
    assert psnr[3.0] < psnr[15.0]
    spent, most = (
        float(where(table, metric=name)["value"].iloc[0])
        for name in ("payload_bytes", "payload_bytes_max")
    )
    assert spent <= most == 44
    # Images are compared: no classifier of what Bob sees is trained.
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.slow
def test_the_mode_adapts(tmp_path):
    table = measured(tmp_path, "jpeg2000-adaptive-6")
    rates = []
    for snr_db in (3.0, 15.0):
        order, rate = (
            float(where(table, metric=name, test_snr_db=snr_db)["value"].iloc[0])
            for name in ("modulation_order", "code_rate")
        )
        rates.append(np.log2(order) * rate)
    assert rates[0] < rates[1]


@pytest.mark.slow
def test_test_images_have_no_influence_on_the_mode(tmp_path, monkeypatch):
    """Noise in place of the test images, whose files fit nowhere, changes no mode."""
    plain = measured(tmp_path / "plain", "jpeg2000-adaptive-6")
    job = next(job for job in PAPER.jobs("smoke", 0) if job.name == "jpeg2000-adaptive-6")
    context = JobContext("classical", Hardware(torch.device("cpu")))
    splits = read_images(job, context)
    noise = np.random.default_rng(0).integers(0, 256, splits.test.x.shape, np.uint8)
    splits = replace(splits, test=replace(splits.test, x=noise))
    run_job(tmp_path / "noise", job, replace(context, splits=splits))
    noisy = frame(read_records(tmp_path / "noise" / "records.jsonl"))
    for metric in ("modulation_order", "code_rate"):
        assert list(where(plain, metric=metric)["value"]) == list(
            where(noisy, metric=metric)["value"]
        )
    quality = [list(where(each, metric="psnr_db")["value"]) for each in (plain, noisy)]
    assert quality[0] != quality[1]


def made(mobilesc: float):
    """Make records in which MobileSC has a PSNR everywhere and JPEG 2000 has 27 dB."""
    found = []

    def add(system, metric, value, role="bob", **fields):
        around = {"ci_low": value - 0.5, "ci_high": value + 0.5}
        shared = {"dataset": "cifar10", "channel": "multipath/lmmse", "latent_dim": 768}
        found.append(
            Record(
                scheme=system.scheme,
                params=dict(system.params) or None,
                metric=metric,
                value=value,
                role=role,
                n=250,
                seed=0,
                **shared | around | fields,
            )
        )

    for job in PAPER.jobs("cpu", 0)[:-1]:
        system = SystemName("classical", params=job.params)
        for metric, value in (("framing_bytes", 139.0), ("payload_bytes_max", 44.0)):
            add(system, metric, value, "system")
        add(system, "psnr_db", 30.0 if job.params["codec"] == "AVIF" else 25.0, "system")
        add(system, "ssim", 0.9, "system")
        for snr_db in SNRS_DB:
            heard = {"test_snr_db": snr_db}
            add(system, "psnr_db", 27.0, **heard)
            add(system, "ssim", 0.7, **heard)
            add(system, "lost_rate", 0.25, **heard)
            if "mode" in job.params:
                add(system, "modulation_order", 16.0, "system", **heard)
                add(system, "code_rate", 2 / 3, "system", **heard)
    for snr_db in SNRS_DB:
        for adversary, psr_db in ((None, None), ("semadv", -6.0)):
            fields = {"test_snr_db": snr_db, "adversary": adversary, "psr_db": psr_db}
            add(SystemName("mobilesc"), "psnr_db", mobilesc - (3.0 if adversary else 0.0), **fields)
            add(SystemName("mobilesc"), "ssim", 0.8, **fields)
    return frame(found)


@pytest.mark.parametrize(
    ("mobilesc", "verdict"),
    [(31.0, "confirmed"), (25.0, "refuted"), (27.5, "undecided"), (24.0, "not judged")],
)
def test_the_verdict_follows_the_records(mobilesc, verdict):
    table = made(mobilesc)
    judged = {one.claim.claim: one.counts for one in PAPER.judge(table)}
    ahead = [counts for claim, counts in judged.items() if claim.startswith("MobileSC is ahead")]
    # The first is about the best SNR, the second about each.
    assert [counts[verdict] for counts in ahead] == [1, len(SNRS_DB)]
    (codecs,) = (counts for claim, counts in judged.items() if "AVIF" in claim)
    assert codecs["confirmed"] == 1
    page = PAPER.render(table)
    assert f"{mobilesc - 3:.2f} ({mobilesc - 3.5:.2f} to {mobilesc - 2.5:.2f})" in page.text
    assert "nan" not in page.text


def test_without_the_semantic_links_the_page_is_of_the_classical_ones():
    table = made(20.0)
    page = PAPER.render(table[table["scheme"] != "mobilesc"])
    assert "`mobilesc`" not in page.text
    assert "| JPEG 2000 | BPSK |" in page.text
    assert set(page.figures) == {"modulations.svg", "mobilesc.svg"}
