"""MobileSC trained against attacks: Figs. 7 and 8 of arXiv 2305.07220, and what they leave out."""

from __future__ import annotations

from semveil.adversary.perturb.attack import in_order
from semveil.studies.base import Job, Study
from semveil.studies.defences_page import figures, page
from semveil.studies.robustness import datasets, recipe

# Two that links are trained against, and four that they are not.
ATTACKS = ["jamming", "pgd", "pgm", "semadv", "blackbox", "transfer"]


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per set: a plain link and all its hardened forms.

    Example:
        >>> [job.name for job in jobs("cpu", 0)]
        ['cifar10', 'mnist']
    """
    # At the cpu budget the photos are too few to train a link that is worth defending.
    attacks = in_order() if budget == "full" else ATTACKS
    chosen = {"smoke": ["digits"], "cpu": ["cifar10", "mnist"], "full": datasets("full")}[budget]
    return [
        Job(
            name=dataset,
            recipe=recipe(budget, dataset, names=attacks),
            schemes=("mobilesc",),
            seed=seed,
            work="semveil.studies.robustness:harden_links",
        )
        for dataset in chosen
    ]


STUDY = Study(
    name="defences",
    title="MobileSC trained against PGM, SemAdv, both, PGD and noise, and attacked anew",
    jobs=jobs,
    figures=figures,
    page=page,
)
