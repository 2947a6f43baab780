"""How large and how fast MobileSC's encoder and decoder are: Table III of its paper."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil import recipe as recipes
from semveil.metrics.intervals import Estimate
from semveil.nets.semantic import SYSTEMS
from semveil.profiling.networks import costs, semantic_network
from semveil.records import Record
from semveil.report.figures.ratios import ratios
from semveil.studies.base import Job, Study, nested
from semveil.studies.jobs import JobContext, read_images, write_results
from semveil.studies.size_page import OURS, page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ENDS = ("encoder", "decoder")
_EXPORTED = "exported "
# Data set, series, what measures them, and settings; always twelve maps and the paper's widths.
_BUDGETS: dict[str, tuple[str, tuple[str, ...], str, dict[str, Any]]] = {
    "smoke": ("digits", _ENDS, "measure_quickly", {"link.width": 64, "link.latent_dim": 48}),
    "cpu": (
        "mnist",
        (*_ENDS, *(_EXPORTED + end for end in _ENDS)),
        "measure",
        {"link.width": 64, "link.latent_dim": 768},
    ),
}
_BUDGETS["full"] = (*_BUDGETS["cpu"][:2], "measure_at_length", _BUDGETS["cpu"][3])


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per series, which measures all three systems, for ratios within one run.

    Example:
        >>> [job.name for job in jobs("cpu", 0)]
        ['encoder', 'decoder', 'exported-encoder', 'exported-decoder']
    """
    dataset, series, work, changes = _BUDGETS[budget]
    recipe = recipes.update(recipes.load(f"{OURS}-{dataset}"), nested(changes))
    return [
        Job(name.replace(" ", "-"), recipe, tuple(SYSTEMS), seed, name, f"{__name__}:{work}")
        for name in series
    ]


def measure(folder: Path, job: Job, means: JobContext) -> None:
    """Measure a series in 15 rounds, with batches of 64."""
    _measure(folder, job, means, batch=64, rounds=15)


def measure_at_length(folder: Path, job: Job, means: JobContext) -> None:
    """Measure a series in 41 rounds, with the paper's batches of 256."""
    _measure(folder, job, means, batch=256, rounds=41)


def measure_quickly(folder: Path, job: Job, means: JobContext) -> None:
    """Measure a series in two rounds: shows that it works."""
    _measure(folder, job, means, batch=16, rounds=2)


def _measure(folder: Path, job: Job, means: JobContext, batch: int, rounds: int) -> None:
    started = time.monotonic()
    shape = (means.splits or read_images(job, means)).image_shape
    link, exported = job.recipe.link, job.label.startswith(_EXPORTED)
    end = job.label.removeprefix(_EXPORTED)
    builds = {
        system: partial(semantic_network, end, system, shape, link.latent_dim, link.width, job.seed)
        for system in job.schemes
    }
    found = costs(
        builds, OURS, exported=exported, batch=batch, rounds=rounds, progress=means.progress
    )
    records = [
        _record(job, means.study, system, metric, number)
        for system, numbers in found.items()
        for metric, number in numbers.items()
    ]
    write_results(folder, job, means, records, started)


def _record(job: Job, study: str, system: str, metric: str, found: Estimate) -> Record:
    once = found.n == 1
    return Record(
        study=study,
        scheme=system,
        dataset=job.recipe.data.name,
        channel="none",
        latent_dim=job.recipe.link.latent_dim,
        role="system",
        metric=metric,
        value=float(found.value),
        ci_low=None if once else found.low,
        ci_high=None if once else found.high,
        n=found.n,
        seed=job.seed,
    )


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return the references' seconds over MobileSC's."""
    asked = {"latency_ratio": "one image at a time", "batch_ratio": "in batches"}
    return {"ratios.svg": ratios(table, asked, over=OURS)}


STUDY = Study(
    name="size",
    title="parameters, seconds and memory of MobileSC's encoder and decoder, and of its references",
    jobs=jobs,
    figures=figures,
    page=page,
)
