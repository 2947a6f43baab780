"""The sweep behind the cooperative recipes: forms, powers and how much Bob is spared.

The paper states none of them. The perturbation lies on a link that was trained for its own task
alone, where the paper says that it succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from semveil.studies.base import Job, Study, in_code
from semveil.studies.sweep import about, settings_table, sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GRIDS: dict[str, list[tuple[str, float, float]]] = {
    # form, PSR in dB, weight of Bob's loss
    "smoke": [("fgm", -3.0, 1.0)],
    "cpu": [
        ("pgd", -6.0, 4.0),
        ("pgd", -3.0, 2.0),
        ("pgd", -3.0, 4.0),
        ("pgd", -3.0, 8.0),
        ("pgd", 0.0, 4.0),
        ("fgm", -3.0, 4.0),
        ("learned", -3.0, 2.0),
    ],
    "full": [
        (form, psr_db, spare)
        for form in ("fgm", "pgd", "learned")
        for psr_db in (-10.0, -6.0, -3.0, 0.0)
        for spare in (1.0, 2.0, 4.0, 8.0)
    ],
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return the unprotected link, then one perturbation per setting.

    Example:
        >>> [job.name for job in jobs("smoke", 0)]
        ['multitask', 'fgm-3dB-1']
    """
    settings = [
        (
            f"{form}{psr_db:+g}dB-{spare:g}",
            {"form": form, "spare_weight": spare},
            {
                "perturbation.form": form,
                "perturbation.psr_db": psr_db,
                "perturbation.spare_weight": spare,
            },
        )
        for form, psr_db, spare in _GRIDS[budget]
    ]
    return sweep("cooperative", settings, budget, seed)


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return no figure: the table has one row per setting."""
    return {}


def page(table: pd.DataFrame) -> str:
    """Return the page: one row per setting, and one per control."""
    return (
        "# Settings of the cooperative perturbation\n\n"
        "Forms (one gradient step `fgm`, twenty projected ones `pgd`, a `learned` layer), PSR, and "
        "the weight μ of Bob's loss, on a link trained for its own task alone. Rows with `/noise` "
        "are Gaussian noise of exactly the same power; the total power is one in every row, so "
        "`multitask` is the control that spends it all on the signal. "
        f"{about(table)}\n\n{settings_table(table)}\n"
    )


STUDY = Study(
    name="perturbation-settings",
    title="Forms, powers and weights of the cooperative perturbation",
    jobs=jobs,
    render=in_code(figures, page),
)
