"""The study of faces: its figure, Eve's pictures, and what is computed over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from semveil.records import Estimate, SystemName, read_records
from semveil.report.select import frame, strongest, where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from semveil.experiment.jobs import Job

_MI = "mi_bits_20"
# Top-1 accuracy in Table II of the survey, by system and attribute.
_PUBLISHED = {
    "dp (epsilon = 0.05)": {"Mustache": 0.750, "Smiling": 0.667, "Wavy_Hair": 0.729},
    "dp (epsilon = 0.1)": {"Mustache": 0.763, "Smiling": 0.684, "Wavy_Hair": 0.736},
    "dp (epsilon = 0.9)": {"Mustache": 0.765, "Smiling": 0.672, "Wavy_Hair": 0.723},
    "shuffle": {"Mustache": 0.776, "Smiling": 0.672, "Wavy_Hair": 0.745},
    "ibal": {"Mustache": 0.773, "Smiling": 0.696, "Wavy_Hair": 0.718},
    "lbvq": {"Mustache": 0.853, "Smiling": 0.799, "Wavy_Hair": 0.793},
}


def accuracy(rows: pd.DataFrame) -> Figure:
    """Draw Bob's accuracy on every attribute, beside the published one."""
    from semveil.report.figures import by_attribute
    from semveil.report.select import name_of

    names = [_without_task(name_of(row)) for _, row in rows.iterrows()]
    table = rows.assign(system=names, attribute=rows["params.task"])
    published = {(s, a): rate for s, rates in _PUBLISHED.items() for a, rate in rates.items()}
    return by_attribute(table, published)


def _without_task(name: SystemName) -> str:
    params = {key: value for key, value in name.params.items() if key != "task"}
    return SystemName(name.scheme, variant=name.variant, params=params).label


def deviation(rows: pd.DataFrame) -> Estimate | None:
    """Return the standard deviation over seeds in percentage points; None for one seed."""
    values = rows.groupby("seed")["value"].mean()
    if len(values) < 2:
        return None
    spread = 100 * float(values.std(ddof=1))
    return Estimate(spread, spread, spread, len(values))


def share(rows: pd.DataFrame) -> Estimate | None:
    """Return the share of the most frequent class in the test images, which are given."""
    if rows.empty:
        return None
    rate = float(rows["value"].iloc[0])
    return Estimate(rate, rate, rate, int(rows["n"].iloc[0]))


def pictures(place: Path, done: Sequence[Job]) -> Mapping[str, Figure]:
    """Return the faces that Eve reconstructed, as Figure 4 shows them, one grid per attribute."""
    from semveil.experiment.run import RECORDS, SAMPLES
    from semveil.report.figures import reconstruction_grid
    from semveil.report.folder import read_samples

    drawn = {}
    seen = [job for job in done if job.recipe.audit.inversion]
    for attribute in dict.fromkeys(job.params["task"] for job in seen):
        samples: dict[str, np.ndarray[Any, Any]] = {}
        scores: dict[str, str] = {}
        for job in seen:
            if job.params["task"] != attribute:
                continue
            table = frame(read_records(place / job.name / RECORDS))
            kept = read_samples(place / job.name / SAMPLES, "originals")
            samples.setdefault("originals", kept["originals"])
            rebuilt = {key: images for key, images in kept.items() if key.startswith("eve/")}
            for key, images in rebuilt.items():
                of = where(table, system=key.removeprefix("eve/"), metric=_MI)
                leak = strongest(where(of, protocol="adaptive"))["value"].max()
                epsilon = job.params.get("epsilon")
                named = key if epsilon is None else f"{key}, ε = {epsilon:g}"
                samples[named], scores[named] = images, f"MI {leak:.2f} bits"
        drawn[f"faces-{attribute}.png"] = reconstruction_grid(samples, scores=scores)
    return drawn
