"""How well the receiver finds frames, and what synchronisation costs, without a trained link."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from scipy.stats import chi2

from semveil.experiment.jobs import Job, JobContext, write_results
from semveil.metrics import Estimate, bootstrap_mean, wilson
from semveil.radio import FrameFormat, HardwareChannel
from semveil.radio.measure import detection, false_alarms
from semveil.records import Record, SystemName

CARRIERS = {
    "ofdm": FrameFormat(),
    "single": FrameFormat(carrier="single", oversampling=2, pilot_spacing=4),
}
_SAMPLES = 1e8


def measure_frames(folder: Path, job: Job, context: JobContext) -> None:
    """Count the frames that are found; measure what synchronisation and equaliser cost those."""
    started, params = time.monotonic(), job.params
    (snr_db,) = job.recipe.audit.bob_snr_db
    channel = HardwareChannel(snr_db=snr_db, taps=params["taps"], sro_ppm=params["sro_ppm"])
    frame = CARRIERS[params["carrier"]]
    found = detection(
        frame, channel, params["frames"], params["symbols"], seed=job.seed, cfo=params["cfo"]
    )
    equaliser = torch.tensor(found.equaliser_db)
    numbers = {
        "found_rate": wilson(found.found, found.sent),
        "read_rate": wilson(found.read, found.sent),
        # Frame by frame: both vary with the channel.
        "snr_loss_db": bootstrap_mean(torch.tensor(found.losses_db) - equaliser, job.seed),
        "equaliser_loss_db": bootstrap_mean(equaliser, job.seed),
    }
    law = f"multipath of {channel.taps} taps" if channel.taps else "awgn"
    records = [
        _record(job, context, law, metric, number, test_snr_db=snr_db)
        for metric, number in numbers.items()
    ]
    write_results(folder, job, context, records, started)


def measure_noise(folder: Path, job: Job, context: JobContext) -> None:
    """Count the preambles, and the headers, that are found in noise."""
    started, samples = time.monotonic(), int(job.params["samples"])
    found = false_alarms(CARRIERS[job.params["carrier"]], samples, seed=job.seed)
    records = [
        _record(job, context, "noise", metric, _poisson(number, samples))
        for metric, number in zip(("false_alarms", "false_headers"), found, strict=True)
    ]
    write_results(folder, job, context, records, started)


def _poisson(events: int, samples: int) -> Estimate:
    """Return events per 10⁸ samples with the exact interval of their Poisson distribution."""
    low = chi2.ppf(0.025, 2 * events) / 2 if events else 0.0
    high = chi2.ppf(0.975, 2 * events + 2) / 2
    scale = _SAMPLES / samples
    return Estimate(events * scale, float(low) * scale, float(high) * scale, samples)


def _record(
    job: Job,
    context: JobContext,
    channel: str,
    metric: str,
    found: Estimate,
    test_snr_db: float | None = None,
) -> Record:
    return Record.of(
        SystemName("receiver"),
        found,
        study=context.study,
        dataset="random symbols",
        channel=channel,
        test_snr_db=test_snr_db,
        role="system",
        metric=metric,
        seed=job.seed,
    )
