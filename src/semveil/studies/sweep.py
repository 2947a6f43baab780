"""What the studies of settings share: one job per setting on one link, one row per setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from semveil import recipe as recipes
from semveil.records import Params
from semveil.studies.base import Job, nested
from semveil.studies.words import Value as Number
from semveil.studies.words import markdown_table, pick, points

SNR_DB = 10.0
RECIPE = "minmax-mnist"
_LIGHT: dict[str, Any] = {
    "audit.inversion": [],
    "audit.bob_snr_db": [SNR_DB],
    "audit.eve_snr_db": [SNR_DB],
}
_BUDGETS: dict[str, dict[str, Any]] = {
    "smoke": {
        "data.name": "digits",
        "data.limit": 600,
        "train.batch": 64,
        "train.epochs": 3,
        "privacy.pretrain_epochs": 1,
        "privacy.polish_epochs": 1,
        "audit.max_epochs": 3,
    },
    "cpu": {"data.limit": 30000, "train.epochs": 8, "audit.max_epochs": 16},
    "full": {"train.epochs": 40, "audit.max_epochs": 200},
}


def sweep(
    scheme: str, settings: Iterable[tuple[str, Params, Mapping[str, Any]]], budget: str, seed: int
) -> list[Job]:
    """Return the unprotected link's job, then one per setting of a scheme.

    Args:
        scheme: Scheme whose settings are swept.
        settings: Folder, params of the records, and dotted keys with their values.
        budget: ``smoke``, ``cpu`` or ``full``.
        seed: Seed of every job.
    """
    base = recipes.update(recipes.load(RECIPE), nested(_LIGHT | _BUDGETS[budget]))
    found = [Job("multitask", base, ("multitask",), seed)]
    for folder, params, changes in settings:
        recipe = recipes.update(base, nested({**changes, "scheme": scheme}))
        found.append(Job(folder, recipe, (scheme,), seed, params))
    return found


def settings_table(table: pd.DataFrame) -> str:
    """Return a Markdown table: Bob, the paper's Eve and the fresh one, against the reference."""
    at = {"test_snr_db": SNR_DB, "metric": "accuracy"}
    psr = table["psr_db"].map(lambda psr_db: f", PSR {psr_db:g} dB", na_action="ignore").fillna("")
    named = table.assign(setting=table["system"] + psr)

    def numbers(name: str) -> tuple[Number, Number, Number]:
        rows = named[named["setting"] == name]
        bob = pick(rows, role="bob", **at)
        paper = pick(rows, role="eve", protocol="paper", **at)
        fresh = pick(rows, role="eve", protocol="adaptive", **at)
        if bob is None or paper is None or fresh is None:
            raise ValueError(f"no complete figures of {name}")
        return bob, paper, fresh

    bob_plain, eve_plain, _ = numbers("multitask")
    rows = []
    for name in named["setting"].unique():
        bob, paper, fresh = numbers(name)
        rows.append(
            [
                name,
                bob.percent(),
                points(bob, bob_plain),
                paper.percent(),
                points(paper, eve_plain),
                fresh.percent(),
            ]
        )
    return markdown_table(["setting", "Bob", "change", "Eve, paper", "change", "Eve, fresh"], rows)


def about(table: pd.DataFrame) -> str:
    """Return the sentences that say how to read the table."""
    return (
        f"Measured on {table['dataset'].iloc[0]} at d = {int(table['latent_dim'].iloc[0])}; "
        f"everybody hears at {SNR_DB:g} dB over independent Rayleigh fading. *Paper*: the "
        "simulated Eve as the link's training left her; *fresh*: the strongest of three new Eves, "
        "trained after the defence was frozen. Changes are points of accuracy against the "
        "unprotected link. Accuracy in percent with its 95 % interval, one seed."
    )
