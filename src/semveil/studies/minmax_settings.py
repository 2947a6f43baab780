"""The sweep behind the min-max recipes: forms, weights and ratios of steps on MNIST, d = 32.

The paper states none of them. The sweep shows where its effect appears under its own protocol,
where it does not, and what fresh Eves make of each setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil import recipe as recipes
from semveil.studies.base import Job, Study, nested
from semveil.studies.words import markdown_table, pick, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SNR_DB = 10.0
_GRIDS: dict[str, list[tuple[str, float, int, int]]] = {
    # form, weight, Eve's steps : Alice's and Bob's steps
    "smoke": [("clipped", 0.3, 1, 4)],
    "cpu": [
        *(("clipped", weight, 1, 8) for weight in (0.1, 0.15, 0.2, 0.3)),
        *(("clipped", 0.2, eve, pair) for eve, pair in ((4, 1), (1, 1), (1, 4))),
        *(("uniform", weight, 1, 8) for weight in (0.3, 1.0)),
        ("gap", 0.5, 1, 8),
    ],
    "full": [
        (form, weight, eve, pair)
        for form in ("clipped", "uniform", "gap")
        for weight in (0.05, 0.1, 0.15, 0.2, 0.3, 0.6, 1.0)
        for eve, pair in ((4, 1), (1, 1), (1, 4), (1, 8))
    ],
}
_CHANGES: dict[str, dict[str, Any]] = {
    "smoke": {"data.name": "digits", "data.limit": 600, "train.batch": 64, "train.epochs": 3, "audit.max_epochs": 3},
    "cpu": {"data.limit": 30000, "train.epochs": 8, "audit.max_epochs": 30},
    "full": {"train.epochs": 40},
}


def _label(form: str, weight: float, eve_steps: int, link_steps: int) -> str:
    return f"{form}, λ = {weight:g}, steps {eve_steps}:{link_steps}"


def jobs(budget: str, seed: int) -> list[Job]:
    """Return the unprotected link, then one min-max link per setting.

    Example:
        >>> [job.name for job in jobs("smoke", 0)]
        ['multitask', 'clipped-0.3-1-4']
    """
    light = {
        "audit.inference": ["linear", "mlp", "wide"],
        "audit.inversion": [],
        "audit.bob_snr_db": [SNR_DB],
        "audit.eve_snr_db": [SNR_DB],
        **_CHANGES[budget],
    }
    base = recipes.load("mnist-minmax")
    found = [Job("multitask", recipes.update(base, nested(light)), ("multitask",), seed)]
    for form, weight, eve_steps, link_steps in _GRIDS[budget]:
        settings = {
            "privacy.form": form,
            "privacy.weight": weight,
            "privacy.eve_steps": eve_steps,
            "privacy.link_steps": link_steps,
        }
        found.append(
            Job(
                f"{form}-{weight:g}-{eve_steps}-{link_steps}",
                recipes.update(base, nested(light | settings)),
                ("minmax",),
                seed,
                _label(form, weight, eve_steps, link_steps),
            )
        )
    return found


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return privacy against utility, one point per setting."""
    from semveil.report.figures.tradeoff import privacy_utility

    return {"privacy-utility.svg": privacy_utility(table)}


def page(table: pd.DataFrame) -> str:
    """Return the page: one row per setting."""
    at = {"test_snr_db": SNR_DB, "metric": "accuracy"}
    lines = []
    reference = {
        role: pick(table, scheme="multitask", role=role, protocol=protocol, **at)
        for role, protocol in (("bob", "none"), ("eve", "paper"))
    }
    for scheme in table["scheme"].unique():
        bob = pick(table, scheme=scheme, role="bob", **at)
        paper = pick(table, scheme=scheme, role="eve", protocol="paper", **at)
        fresh = pick(table, scheme=scheme, role="eve", protocol="adaptive", **at)
        assert bob and paper and fresh and reference["bob"] and reference["eve"]
        lines.append(
            [
                scheme,
                bob.percent(),
                points(bob, reference["bob"]),
                paper.percent(),
                points(paper, reference["eve"]),
                fresh.percent(),
            ]
        )
    headings = ["setting", "Bob", "change", "Eve, paper", "change", "Eve, fresh"]
    dataset = table["dataset"].iloc[0]
    return (
        "# Settings of the min-max game\n\n"
        "Forms of the privacy term, its weight λ, and Eve's steps to Alice's and Bob's "
        f"(`eve:pair`), on {dataset} at d = {int(table['latent_dim'].iloc[0])}; everybody at "
        f"{SNR_DB:g} dB over Rayleigh fading. *Paper*: the simulated Eve as training left her; "
        "*fresh*: the strongest of three new Eves. Changes are points of accuracy against the "
        "unprotected link. Accuracy in percent with its 95 % interval, one seed.\n\n"
        f"{markdown_table(headings, lines)}\n\n"
        "![Privacy against utility](privacy-utility.svg)\n"
    )


STUDY = Study(
    name="minmax-settings",
    title="Forms, weights and ratios of steps of the min-max game",
    jobs=jobs,
    figures=figures,
    page=page,
)
