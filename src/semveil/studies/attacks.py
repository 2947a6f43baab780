"""MobileSC under every physical-layer attack: Fig. 6 of arXiv 2305.07220."""

from __future__ import annotations

from semveil.studies.attacks_page import figures, page
from semveil.studies.base import Job, Study
from semveil.studies.robustness import TARGET, datasets, recipe


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per set.

    Example:
        >>> [job.name for job in jobs("cpu", 0)]
        ['cifar10', 'mnist', 'imagenette']
    """
    # The longest first: where several are done at a time, it is the one to wait for.
    order = ["cifar10", "mnist", "imagenette", "digits"]
    return [
        Job(
            name=dataset,
            recipe=recipe(budget, dataset, target=TARGET),
            schemes=("mobilesc",),
            seed=seed,
            work="semveil.studies.robustness:attack_links",
        )
        for dataset in sorted(datasets(budget), key=order.index)
    ]


STUDY = Study(
    name="attacks",
    title="MobileSC under jamming, PGD, PGM, SemAdv and others, class by class",
    jobs=jobs,
    figures=figures,
    page=page,
)
