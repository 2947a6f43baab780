"""The sweep behind the min-max recipes: forms, weights and ratios of steps.

The paper states none of them. The sweep shows where its effect appears under its own protocol,
where it does not, and what fresh Eves make of each setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from semveil.studies.base import Job, Study, in_code
from semveil.studies.sweep import about, settings_table, sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GRIDS: dict[str, list[tuple[str, float, int, int]]] = {
    # form, weight, Eve's steps : Alice's and Bob's steps
    "smoke": [("clipped", 0.3, 1, 4)],
    "cpu": [
        *(("clipped", weight, 1, 8) for weight in (0.1, 0.2, 0.3)),
        *(("clipped", 0.2, eve, pair) for eve, pair in ((4, 1), (1, 1))),
        ("uniform", 0.3, 1, 8),
        ("gap", 0.5, 1, 8),
    ],
    "full": [
        (form, weight, eve, pair)
        for form in ("clipped", "uniform", "gap")
        for weight in (0.05, 0.1, 0.15, 0.2, 0.3, 0.6, 1.0)
        for eve, pair in ((4, 1), (1, 1), (1, 4), (1, 8))
    ],
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return the unprotected link, then one min-max link per setting.

    Example:
        >>> [job.name for job in jobs("smoke", 0)]
        ['multitask', 'clipped-0.3-1-4']
    """
    settings = [
        (
            f"{form}-{weight:g}-{eve}-{pair}",
            params,
            {f"privacy.{key}": value for key, value in params.items()},
        )
        for form, weight, eve, pair in _GRIDS[budget]
        for params in [{"form": form, "weight": weight, "eve_steps": eve, "link_steps": pair}]
    ]
    return sweep("minmax", settings, budget, seed)


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return no figure: the table has one row per setting."""
    return {}


def page(table: pd.DataFrame) -> str:
    """Return the page: one row per setting."""
    return (
        "# Settings of the min-max game\n\n"
        "Forms of the privacy term, its weight λ, and Eve's steps to Alice's and Bob's "
        f"(`eve:pair`). {about(table)}\n\n{settings_table(table)}\n"
    )


STUDY = Study(
    name="minmax-settings",
    title="Forms, weights and ratios of steps of the min-max game",
    jobs=jobs,
    render=in_code(figures, page),
)
