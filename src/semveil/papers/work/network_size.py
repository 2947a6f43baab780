"""Parameters, operations, seconds and memory of encoders and decoders."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from semveil.experiment.jobs import Job, JobContext, read_images, write_results
from semveil.profiling.networks import costs, semantic_network
from semveil.records import Estimate, Record, SystemName, named

REFERENCE = "mobilesc"


def measure(folder: Path, job: Job, context: JobContext) -> None:
    """Measure a series in 15 rounds, with batches of 64."""
    _measure(folder, job, context, batch=64, rounds=15)


def measure_at_length(folder: Path, job: Job, context: JobContext) -> None:
    """Measure a series in 41 rounds, with the paper's batches of 256."""
    _measure(folder, job, context, batch=256, rounds=41)


def measure_quickly(folder: Path, job: Job, context: JobContext) -> None:
    """Measure a series in two rounds: shows that it works."""
    _measure(folder, job, context, batch=16, rounds=2)


def _measure(folder: Path, job: Job, context: JobContext, batch: int, rounds: int) -> None:
    started = time.monotonic()
    shape = (context.splits or read_images(job, context)).image_shape
    link, end, exported = job.recipe.link, job.params["part"], "exported" in job.params
    builds = {
        system: partial(semantic_network, end, system, shape, link.latent_dim, link.width, job.seed)
        for system in (named(asked).scheme for asked in job.schemes)
    }
    found = costs(
        builds, REFERENCE, exported=exported, batch=batch, rounds=rounds, progress=context.progress
    )
    records = [
        _record(job, context.study, system, metric, number)
        for system, numbers in found.items()
        for metric, number in numbers.items()
    ]
    write_results(folder, job, context, records, started)


def _record(job: Job, study: str, system: str, metric: str, found: Estimate) -> Record:
    return Record.of(
        SystemName(system),
        found,
        study=study,
        dataset=job.recipe.data.name,
        channel="none",
        latent_dim=job.recipe.link.latent_dim,
        role="system",
        metric=metric,
        interval=found.n > 1,
        seed=job.seed,
    )
