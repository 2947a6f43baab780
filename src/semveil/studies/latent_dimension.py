"""What Bob and Eve get against the latent dimension, for each protection and both protocols.

The figure behind the claims of Sagduyu et al., arXiv 2512.24452: accuracy and reconstruction
grow with the latent dimension, the min-max game and the cooperative perturbation lower Eve's
accuracy and leave Bob's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil import recipe as recipes
from semveil.studies.base import Job, Study, nested
from semveil.studies.words import Figure as Number
from semveil.studies.words import markdown_table, pick, points

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SNR_DB = 10.0
PAIRS = {"none": ("multitask", "cooperative"), "minmax": ("minmax", "minmax-cooperative")}
SCHEMES = ("multitask", "minmax", "cooperative", "minmax-cooperative")
# The effect that the paper's words promise, in points of accuracy.
EVE_DROP, BOB_LOSS = 0.20, 0.02

_SMOKE: dict[str, Any] = {
    "train.epochs": 4,
    "train.batch": 64,
    "link.width": 8,
    "privacy.pretrain_epochs": 1,
    "privacy.polish_epochs": 1,
    "perturbation.form": "fgm",
    "audit.max_epochs": 3,
    "audit.pictures": 2,
    "data.limit": 600,
}
_BUDGETS: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {"digits": {"dimensions": (8, 16), **_SMOKE}},
    "cpu": {
        "mnist": {
            "dimensions": (8, 16, 32, 64, 128),
            "data.limit": 30000,
            "train.epochs": 8,
            "audit.max_epochs": 30,
        },
        "cifar10": {
            "dimensions": (32, 128),
            "data.limit": 20000,
            "train.epochs": 12,
            "audit.max_epochs": 30,
        },
    },
    "full": {
        "mnist": {"dimensions": (8, 16, 32, 64, 128), "train.epochs": 40, "audit.max_epochs": 200},
        "cifar10": {
            "dimensions": (8, 16, 32, 64, 128),
            "train.epochs": 60,
            "audit.max_epochs": 200,
        },
    },
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per dataset, dimension and link; a link serves the layer on it too.

    Example:
        >>> [job.name for job in jobs("smoke", 0)]
        ['digits-8-none', 'digits-8-minmax', 'digits-16-none', 'digits-16-minmax']
    """
    found = []
    for dataset, settings in _BUDGETS[budget].items():
        changes = {key: value for key, value in settings.items() if key != "dimensions"}
        for dimension in settings["dimensions"]:
            for pair, schemes in PAIRS.items():
                base = recipes.load(f"{dataset}-minmax" if dataset != "digits" else "quickstart")
                recipe = recipes.update(
                    base, nested({**changes, "link.latent_dim": dimension, "scheme": schemes[-1]})
                )
                found.append(Job(f"{dataset}-{dimension}-{pair}", recipe, schemes, seed))
    return found


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return accuracy and PSNR against the dimension, and privacy against utility."""
    from semveil.report.figures.curves import against_dimension
    from semveil.report.figures.tradeoff import privacy_utility

    drawn = {}
    for dataset in table["dataset"].unique():
        part = table[table["dataset"] == dataset]
        drawn[f"accuracy-{dataset}.svg"] = against_dimension(part, "accuracy")
        drawn[f"psnr-{dataset}.svg"] = against_dimension(part, "psnr_db")
        drawn[f"privacy-utility-{dataset}.svg"] = privacy_utility(part)
    return drawn


class _Cell:
    """The numbers of one scheme at one dimension, all at 10 dB."""

    def __init__(self, table: pd.DataFrame, scheme: str) -> None:
        at = {"scheme": scheme, "test_snr_db": SNR_DB}
        eve = at | {"role": "eve", "metric": "accuracy"}
        self.bob = pick(table, **at, role="bob", metric="accuracy")
        self.bob_psnr = pick(table, **at, role="bob", metric="psnr_db")
        self.paper = pick(table, **eve, protocol="paper")
        self.fresh = pick(table, **eve, protocol="adaptive")
        self.fresh_psnr = pick(table, **at, role="eve", metric="psnr_db", protocol="adaptive")


def page(table: pd.DataFrame) -> str:
    """Return the page: claims, what was found under the paper's protocol, what fresh Eves find."""
    parts = [
        "# Privacy against the latent dimension\n\n"
        "Sagduyu, Erpek, Yener and Ulukus (arXiv 2512.24452) claim, for a multi-task semantic link "
        "over Rayleigh fading on MNIST and CIFAR-10: (1) accuracy and reconstruction improve with "
        "the latent dimension; (2) an iterative min-max game lowers the eavesdropper's accuracy "
        "significantly without degrading Bob; (3) a cooperative perturbation of the waveform does "
        "so even on a link trained for its own task alone. Their settings and numbers are not in "
        "what we could read, so every setting here is our reading "
        "(the recipes state them).\n\n"
        "**Protocols.** *Paper*: the simulated Eve that the defence was trained or crafted "
        "against, as she was left. *Fresh*: the defence is frozen, three new Eves (logistic regression, "
        "Bob's own architecture, a residual network 15 times as large) are trained to "
        "convergence on images that the defence has not seen; the strongest counts. Bob and Eve both hear at "
        f"{SNR_DB:g} dB over independent Rayleigh fading with perfect CSI; other SNRs are in the "
        "records. Accuracy in percent with its 95 % interval.\n"
    ]
    for dataset in table["dataset"].unique():
        parts.append(_dataset(table[table["dataset"] == dataset], str(dataset)))
    return "\n".join(parts)


def _dataset(table: pd.DataFrame, dataset: str) -> str:
    chance = pick(table, role="system", metric="chance")
    dimensions = sorted(int(d) for d in table["latent_dim"].unique())
    cells = {
        d: {scheme: _Cell(table[table["latent_dim"] == d], scheme) for scheme in SCHEMES}
        for d in dimensions
    }
    lines = []
    for d, row in cells.items():
        for scheme, cell in row.items():
            if cell.bob is None:
                continue
            lines.append(
                [
                    str(d),
                    scheme,
                    _text(cell.bob),
                    f"{cell.bob_psnr.value:.2f}" if cell.bob_psnr else "–",
                    _text(cell.paper),
                    _text(cell.fresh),
                    f"{cell.fresh_psnr.value:.2f}" if cell.fresh_psnr else "–",
                ]
            )
    headings = [
        "d",
        "scheme",
        "Bob",
        "Bob PSNR (dB)",
        "Eve, paper",
        "Eve, fresh",
        "Eve PSNR, fresh (dB)",
    ]
    floor = f" Guessing gives {chance.percent()}." if chance else ""
    return (
        f"\n## {dataset}\n\n{markdown_table(headings, lines)}\n\n"
        f"Test images: {int(table['n'].max()):,}.{floor}\n\n"
        f"![Accuracy against the latent dimension](accuracy-{dataset}.svg)\n\n"
        f"![PSNR against the latent dimension](psnr-{dataset}.svg)\n\n"
        f"![Privacy against utility](privacy-utility-{dataset}.svg)\n\n"
        "### Claim by claim\n\n" + "\n".join(_claims(cells, dimensions)) + "\n"
    )


def _text(number: Number | None) -> str:
    return number.percent() if number else "–"


def _claims(cells: dict[int, dict[str, _Cell]], dimensions: list[int]) -> list[str]:
    small, large = cells[dimensions[0]]["multitask"], cells[dimensions[-1]]["multitask"]
    assert small.bob and large.bob and small.bob_psnr and large.bob_psnr
    claims = [
        f"1. *Accuracy and reconstruction improve with d.* From d = {dimensions[0]} to "
        f"{dimensions[-1]}, unprotected: Bob's accuracy {small.bob.percent()} → "
        f"{large.bob.percent()}, PSNR {small.bob_psnr.decibels()} → "
        f"{large.bob_psnr.decibels()} dB."
    ]
    for number, scheme in enumerate(SCHEMES[1:], start=2):
        shown, broken, changes = [], [], []
        for d in dimensions:
            plain, cell = cells[d]["multitask"], cells[d][scheme]
            if not (plain.bob and plain.paper and cell.bob and cell.paper):
                continue
            drop = plain.paper.value - cell.paper.value
            loss = plain.bob.value - cell.bob.value
            if drop >= EVE_DROP and loss <= BOB_LOSS:
                shown.append(d)
            change = (
                f"d = {d}: Eve {points(cell.paper, plain.paper)}, Bob {points(cell.bob, plain.bob)}"
            )
            if cell.fresh and plain.fresh:
                change += f", fresh Eve {points(cell.fresh, plain.fresh)}"
                if cell.fresh.high >= cell.bob.low:
                    broken.append(d)
            changes.append(change)
        claims.append(
            f"{number}. *`{scheme}`*, points against `multitask` at the same d: "
            + "; ".join(changes)
            + ". Under the paper's protocol, Eve falls by at least 20 points with Bob within 2 "
            + (f"at d = {_list(shown)}. " if shown else "at none of the dimensions. ")
            + (
                f"A fresh Eve gets at least what Bob gets (intervals overlap or hers is higher) "
                f"at d = {_list(broken)}."
                if broken
                else "A fresh Eve stays below Bob at every dimension."
            )
        )
    return claims


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


STUDY = Study(
    name="latent-dimension",
    title="Bob and Eve against the latent dimension, four protections, both protocols",
    jobs=jobs,
    figures=figures,
    page=page,
)
