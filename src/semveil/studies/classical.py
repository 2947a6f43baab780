"""A classical link beside MobileSC: Table IV and Fig. 9 of arXiv 2305.07220."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from semveil import recipe as recipes
from semveil.studies.base import Job, Study, nested
from semveil.studies.classical_page import figures, page
from semveil.studies.classical_systems import HALF, SNRS_DB, SUBCARRIERS, SYSTEMS, Classical
from semveil.studies.robustness import TARGET, recipe


@dataclass(frozen=True)
class _Budget:
    """What a budget runs on.

    Attributes:
        dataset: Images.
        images: Test images of the classical systems.
        snrs_db: Bob's SNRs.
        limit: Training images; modes are chosen by those set aside of them.
    """

    dataset: str
    images: int
    snrs_db: Sequence[float]
    limit: int | None = None


_BUDGETS: Mapping[str, _Budget] = {
    "smoke": _Budget("digits", 20, (3.0, 15.0), limit=200),
    "cpu": _Budget("cifar10", 250, SNRS_DB),
    "full": _Budget("cifar10", 10000, SNRS_DB),
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per classical system, and one for MobileSC, attacked and hardened.

    Example:
        >>> [job.name for job in jobs("cpu", 0)][:3]
        ['jpeg2000-2-0.5-76', 'jpeg2000-4-0.5-38', 'jpeg2000-16-0.5-19']
    """
    settings = _BUDGETS[budget]
    classical = [_classical(system, settings, seed) for system in SYSTEMS]
    return [*classical, _links(budget, settings, seed)]


def _classical(system: Classical, settings: _Budget, seed: int) -> Job:
    mode = system.mode or HALF[1]
    changes = {
        "scheme": "classical",
        "link.latent_dim": 2 * SUBCARRIERS * system.symbols,
        "classical.codec": system.codec,
        "classical.order": mode.order,
        "classical.rate": mode.rate,
        "audit.bob_snr_db": list(settings.snrs_db),
        "audit.images": settings.images,
        "data.limit": settings.limit,
    }
    chosen = recipes.update(recipes.load(f"mobilesc-{settings.dataset}"), nested(changes))
    work = "adapt" if system.mode is None else "measure_whole" if system.whole else "measure"
    return Job(
        system.job,
        chosen,
        ("classical",),
        seed,
        system.params,
        f"semveil.studies.classical_measure:{work}",
    )


def _links(budget: str, settings: _Budget, seed: int) -> Job:
    attack = {"source_class": TARGET, "names": ["semadv"], "psr_db": [-6.0]}
    chosen = recipe(budget, settings.dataset, **attack)
    heard = {"audit": {"bob_snr_db": list(settings.snrs_db)}}
    return Job(
        "mobilesc",
        recipes.update(chosen, heard),
        ("mobilesc",),
        seed,
        work="semveil.studies.classical_links:measure",
    )


STUDY = Study(
    name="classical",
    title="JPEG 2000 or AVIF, LDPC and QAM beside MobileSC, at equal bytes and at equal bandwidth",
    jobs=jobs,
    figures=figures,
    page=page,
)
