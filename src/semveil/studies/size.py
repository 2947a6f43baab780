"""How large and how fast MobileSC's encoder and decoder are: Table III of its paper."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil import recipe as recipes
from semveil.experiment.jobs import JobContext, read_images, write_results
from semveil.nets.semantic import SYSTEMS
from semveil.profiling.networks import costs, semantic_network
from semveil.records import Estimate, Record, SystemName
from semveil.report.figures.ratios import ratios
from semveil.studies.base import Job, Study, nested
from semveil.studies.size_page import OURS, page, series_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ENDS = (("encoder", False), ("decoder", False), ("encoder", True), ("decoder", True))
# Data set, ends (exported or not), what measures them, and settings: always twelve maps, and the
# paper's widths.
_BUDGETS: dict[str, tuple[str, tuple[tuple[str, bool], ...], str, dict[str, Any]]] = {
    "smoke": ("digits", _ENDS[:2], "measure_quickly", {"link.width": 64, "link.latent_dim": 48}),
    "cpu": (
        "mnist",
        _ENDS,
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
        Job(
            f"exported-{end}" if exported else end,
            recipe,
            tuple(SYSTEMS),
            seed,
            {"part": end, **({"exported": True} if exported else {})},
            f"{__name__}:{work}",
        )
        for end, exported in series
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
    link, end, exported = job.recipe.link, job.params["part"], "exported" in job.params
    builds = {
        system: partial(semantic_network, end, system, shape, link.latent_dim, link.width, job.seed)
        for system in SYSTEMS
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


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return the references' seconds over MobileSC's."""
    asked = {"latency_ratio": "one image at a time", "batch_ratio": "in batches"}
    return {"ratios.svg": ratios(table.assign(series=series_of(table)), asked, over=OURS)}


STUDY = Study(
    name="size",
    title="parameters, seconds and memory of MobileSC's encoder and decoder, and of its references",
    jobs=jobs,
    figures=figures,
    page=page,
)
