"""What grows with the number of devices: the measurements, power laws and the figure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch

from semveil import recipe as recipes
from semveil.data.splits import ImageSplits
from semveil.experiment.jobs import Job, JobContext, read_images, write_results
from semveil.experiment.link import Link, untrained
from semveil.link import as_float
from semveil.metrics.intervals import bootstrap_mean, exact
from semveil.metrics.powerlaw import PowerLaw, fit_power_law
from semveil.profiling.devices import (
    epoch_seconds,
    key_costs,
    mean_errors,
    receiver_costs,
    senders,
)
from semveil.protect.laplace import DpConfig, Laplace
from semveil.records import Estimate, Record, SystemName
from semveil.report.select import pooled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 10_000
BATCH = 256
AGREEMENT, OWN = "key-agreement", "lbvq, own codebooks"
MIXED = ("deepjscc", "shuffle", "cipher", "rotation", "lbvq")
TRAINED = ("deepjscc", "ibal", "uis")
EPSILON, CLIP = 1.0, 1.0
_OWN = SystemName("lbvq", params={"codebooks": "own"})
# Images that each device contributes to training.
EACH = 32
_MOST_IMAGES = 1000


def _devices(job: Job) -> int:
    return int(job.params["devices"])


def _link(job: Job, splits: ImageSplits, scheme: str) -> Link:
    recipe = recipes.update(job.recipe, {"scheme": scheme})
    return untrained(scheme, recipe, splits.image_shape, splits.n_classes, job.seed)


def _write(
    folder: Path,
    job: Job,
    means: JobContext,
    started: float,
    found: Mapping[tuple[str, str], Estimate],
) -> None:
    """Write what was found, by scheme and metric."""
    recipe = job.recipe
    records = [
        Record.of(
            _OWN if system == OWN else SystemName(system),
            each,
            study=means.study,
            dataset=recipe.data.name,
            channel=f"{recipe.bob.fading}/{recipe.bob.csi}",
            train_snr_db=recipe.bob.snr_db,
            latent_dim=recipe.link.latent_dim,
            role="system",
            metric=metric,
            interval=each.n > 1,
            seed=job.seed,
        )
        for (system, metric), each in found.items()
    ]
    write_results(folder, job, means, records, started)


def measure_keys(folder: Path, job: Job, means: JobContext) -> None:
    """Time a receiver's agreement with all devices, and weigh its sessions."""
    started = time.monotonic()
    found = {(AGREEMENT, metric): each for metric, each in key_costs(_devices(job)).items()}
    _write(folder, job, means, started, found)


def measure_mixed(folder: Path, job: Job, means: JobContext) -> None:
    """Time Bob's work on a batch whose messages come from random ones of the devices."""
    started, devices = time.monotonic(), _devices(job)
    splits = means.splits or read_images(job, means)
    systems = {name: _link(job, splits, name) for name in MIXED}
    own = {OWN: systems["lbvq"]}
    costs = receiver_costs(systems, own, devices=devices, batch=BATCH, seed=job.seed)
    found = {(name, metric): each for name, own in costs.items() for metric, each in own.items()}
    found["deepjscc", "senders"] = exact(len(senders(devices, BATCH, job.seed).unique()))
    _write(folder, job, means, started, found)


def measure_mean(folder: Path, job: Job, means: JobContext) -> None:
    """Measure the error of the mean over devices that each add noise of their own."""
    started, devices = time.monotonic(), _devices(job)
    splits = means.splits or read_images(job, means)
    network = _link(job, splits, "deepjscc").network
    dim = job.recipe.link.latent_dim
    with torch.no_grad():
        shown = torch.from_numpy(splits.test.x[: min(devices, _MOST_IMAGES)])
        features = torch.cat([network.features(as_float(some)) for some in shown.split(500)])
    # Beyond that, several devices have seen the same: the noise is each one's own.
    features = features[torch.arange(devices) % len(features)]
    local = Laplace(DpConfig(reading="genuine", epsilon=EPSILON, clip=CLIP), dim).eval()
    errors = mean_errors(features, local, draws=20, seed=job.seed)
    found = {
        ("dp", "mean_error"): bootstrap_mean(errors),
        ("dp", "epsilon"): exact(local.vector_epsilon),
        ("dp", "expected_error"): exact(local.noise_scale * sqrt(2 / devices)),
        ("dp", "signal"): exact(float(local.bound(features).square().mean().sqrt())),
    }
    _write(folder, job, means, started, found)


def measure_training(folder: Path, job: Job, means: JobContext) -> None:
    """Time an epoch over the images of all devices, so many from each."""
    started, devices = time.monotonic(), _devices(job)
    splits = means.splits or read_images(job, means)
    found = {
        (name, "epoch_s"): epoch_seconds(_link(job, splits, name), devices, EACH)
        for name in TRAINED
    }
    _write(folder, job, means, started, found)


def _by_devices(rows: pd.DataFrame) -> dict[int, Estimate]:
    """Return one number by how many devices there were, seeds merged."""
    parts = rows.groupby(rows["params.devices"].astype(int))
    return {int(str(devices)): pooled(part) for devices, part in parts}


def _law(rows: pd.DataFrame) -> PowerLaw | None:
    """Return the power law through the measured points; None for fewer than three."""
    found = _by_devices(rows)
    if len(found) < 3:
        return None
    return fit_power_law(list(found), [each.value for each in found.values()])


def exponent(rows: pd.DataFrame) -> Estimate | None:
    """Return the exponent of N with its interval; None for fewer than three numbers of devices."""
    law = _law(rows)
    if law is None:
        return None
    # What does not grow has an exponent of exactly zero, not of a rounding error below it.
    value, low, high = (round(x, 12) + 0.0 for x in (law.exponent, law.low, law.high))
    return Estimate(value, low, high, len(law.points))


def extended(rows: pd.DataFrame) -> Estimate | None:
    """Return the fitted value at 10,000 devices with its prediction interval."""
    law = _law(rows)
    if law is None or max(law.points) >= MOST:
        return None
    return Estimate(*law.at(MOST), len(law.points))


def last(rows: pd.DataFrame) -> Estimate | None:
    """Return the number at the most devices."""
    found = _by_devices(rows)
    return found[max(found)] if found else None


def first(rows: pd.DataFrame) -> Estimate | None:
    """Return the value at the fewest devices as a given one, for ratios to it."""
    found = _by_devices(rows)
    return exact(found[min(found)].value) if found else None


_GROWING = {
    "agreement_s": "agreeing on keys, s at the receiver",
    "mean_error": "error of the mean over devices",
    "epoch_s": "an epoch of training, s",
}
_MEASURED = {"receiver_throughput_per_s": "mixed batches, messages/s"}


def growing(rows: pd.DataFrame) -> Figure:
    """Draw what grows with the number of devices, with power laws, and Bob's throughput."""
    from semveil.report.figures.growth import Curve, growth

    own = rows["params.codebooks"].notna()
    table = rows.assign(scheme=rows["scheme"].mask(own, OWN))
    curves = []
    for metric, title in (_GROWING | _MEASURED).items():
        for scheme, part in table[table["metric"] == metric].groupby("scheme", sort=False):
            found, law = _by_devices(part), _law(part) if metric in _GROWING else None
            beyond = [max(found), MOST] if law and max(found) < MOST else []
            points = [(n, each.value, each.low, each.high) for n, each in found.items()]
            fitted = [(float(n), *law.at(n)) for n in beyond] if law else []
            curves.append(Curve(title, str(scheme), points, fitted))
    return growth(curves)
