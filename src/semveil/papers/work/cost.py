"""What every scheme costs: the measurement, and the figure of ratios."""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from semveil import recipe as recipes
from semveil.experiment.jobs import Job, JobContext, read_images, write_results
from semveil.experiment.link import Link
from semveil.profiling.systems import costs
from semveil.recipe import Recipe
from semveil.records import Estimate, Record, SystemName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REFERENCE = "deepjscc"
SCHEMES = (REFERENCE, "dp", "shuffle", "cipher", "rotation", "vfe", "ibal", "lbvq", "uis")
# The papers send 16 tokens on 16-QAM: a quarter of the analog schemes' bandwidth.
PAPERS_TOKENS, TOKENS = "lbvq, 16 tokens", {"tokens": 16}
BATCH, SMALL_BATCH = 256, 32


def measure(folder: Path, job: Job, means: JobContext) -> None:
    """Measure every scheme of a job in six rounds, and memory in processes apart."""
    _measure(folder, job, means, BATCH, 6, (*SCHEMES, PAPERS_TOKENS))


def measure_small_batches(folder: Path, job: Job, means: JobContext) -> None:
    """Measure as :func:`measure`, with an eighth of the images in a batch."""
    _measure(folder, job, means, SMALL_BATCH, 6, (*SCHEMES, PAPERS_TOKENS))


def measure_quickly(folder: Path, job: Job, means: JobContext) -> None:
    """Measure in two rounds, and the reference's memory alone: shows that it works."""
    _measure(folder, job, means, BATCH, 2, (REFERENCE,))


def _measure(
    folder: Path, job: Job, means: JobContext, batch: int, rounds: int, weighed: Sequence[str]
) -> None:
    started = time.monotonic()
    splits = means.splits or read_images(job, means)
    systems, found = costs(
        _settings(job),
        REFERENCE,
        splits.image_shape,
        splits.n_classes,
        seed=job.seed,
        batch=batch,
        images=len(splits.system),
        rounds=rounds,
        weighed=weighed,
        progress=means.progress,
    )
    records = [
        _record(job, means.study, name, systems[name], metric, each)
        for name, numbers in found.items()
        for metric, each in numbers.items()
    ]
    write_results(folder, job, means, records, started)


def _settings(job: Job) -> dict[str, Recipe]:
    """Return the settings of every system, by its name in the records."""
    found = {name: recipes.update(job.recipe, {"scheme": name}) for name in SCHEMES}
    tokens = {"scheme": "lbvq", "link": {"latent_dim": 32}}
    return found | {PAPERS_TOKENS: recipes.update(job.recipe, tokens)}


def _record(job: Job, study: str, name: str, link: Link, metric: str, found: Estimate) -> Record:
    recipe = link.recipe
    return Record.of(
        SystemName(link.plan.scheme.name, params=TOKENS if name == PAPERS_TOKENS else {}),
        found,
        study=study,
        dataset=recipe.data.name,
        channel=link.channel.name,
        train_snr_db=recipe.bob.snr_db,
        latent_dim=recipe.link.latent_dim,
        bandwidth_ratio=recipe.link.latent_dim / 2 / prod(link.image_shape),
        role="system",
        asymmetry=link.plan.asymmetry,
        metric=metric,
        interval=found.n > 1,
        seed=job.seed,
    )


def ratios_to_reference(rows: pd.DataFrame) -> Figure:
    """Draw each scheme's seconds over the reference's."""
    from semveil.report.figures import ratios

    few = rows.reindex(columns=["params.tokens"])["params.tokens"].notna()
    table = rows.assign(
        scheme=rows["scheme"].mask(few, PAPERS_TOKENS),
        series=[f"width {width:g}" for width in rows["params.width"].astype(float)],
    )
    asked = {
        "epoch_ratio": "an epoch of training",
        "latency_ratio": "one image, in use",
        "batch_ratio": "a batch, in use",
    }
    return ratios(table, asked, over=REFERENCE)
