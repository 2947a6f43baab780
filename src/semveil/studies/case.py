"""What Bob sees under each attack: Fig. 10 of arXiv 2305.07220."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semveil.experiment.run import SAMPLES
from semveil.studies.base import Job, Study
from semveil.studies.case_page import figures, page, pictures_of
from semveil.studies.robustness import TARGET, recipe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ATTACKS = ["jamming", "pgd", "pgm", "semadv"]


def jobs(budget: str, seed: int) -> list[Job]:
    """Return the one job: CIFAR-10, or the digits where it is to take seconds.

    Example:
        >>> [job.name for job in jobs("cpu", 0)]
        ['cifar10']
    """
    dataset = "digits" if budget == "smoke" else "cifar10"
    chosen = recipe(budget, dataset, target=TARGET, names=ATTACKS, psr_db=[-6.0])
    return [
        Job(
            name=dataset,
            recipe=chosen,
            schemes=("mobilesc",),
            seed=seed,
            work="semveil.studies.robustness:attack_link",
        )
    ]


def pictures(place: Path, done: Sequence[Job]) -> Mapping[str, Figure]:
    """Draw a grid of Bob's images, one row an attack.

    Args:
        place: Folder of the jobs' folders.
        done: The jobs, all finished.
    """
    drawn = {}
    for job in done:
        with np.load(place / job.name / SAMPLES, allow_pickle=False) as kept:
            samples: dict[str, np.ndarray[Any, Any]] = {key: kept[key] for key in kept.files}
        drawn[f"case-{job.name}.png"] = pictures_of(samples, ATTACKS)
    return drawn


STUDY = Study(
    name="case",
    title="the pictures that Bob rebuilds, one row an attack",
    jobs=jobs,
    figures=figures,
    page=page,
    pictures=pictures,
)
