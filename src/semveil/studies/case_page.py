"""The page of the case study: what Bob's images look like under each attack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semveil.report.attack_rows import NONE
from semveil.report.figures.attacks import by_class
from semveil.report.figures.case import attack_grid, attacked
from semveil.report.summary import signed
from semveil.studies.attack_claims import (
    ATTACKS,
    JAMMING,
    LINK,
    PGD,
    PGM,
    SEMADV,
    on_attacks,
    on_links,
)
from semveil.studies.attack_records import AttackedLink, gap, level, victims
from semveil.studies.attack_tables import READING, drawn, facts, warnings
from semveil.studies.verdicts import SAME_DB, SHARP_DB, Claim, Finding, at_least, at_most
from semveil.studies.words import Value as Number
from semveil.studies.words import markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pictures_of(samples: Mapping[str, np.ndarray], attacks: Sequence[str]) -> Figure:
    """Return the grid of a link's images, one row an attack.

    Args:
        samples: Arrays of a job's ``samples.npz``.
        attacks: Attacks to show, besides nobody.

    Raises:
        ValueError: If no link's images under attack are among them.
    """
    systems = list(attacked(samples))
    if not systems:
        raise ValueError("samples hold no images under attack")
    return attack_grid(samples, systems[0], attacks=attacks)


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return PSNR and SSIM by class under each attack."""
    shown = drawn(_with_images(table))
    return {f"class-{metric}.svg": by_class(shown, metric) for metric in ("psnr_db", "ssim")}


def _with_images(table: pd.DataFrame) -> list[AttackedLink]:
    """Links whose Bob rebuilds images."""
    return [victim for victim in victims(table) if victim.at(NONE, "psnr_db", None)]


def page(table: pd.DataFrame) -> str:
    """Return the page: the pictures, how good they are in numbers, and claim by claim."""
    found = _with_images(table)
    parts = [_INTRODUCTION]
    for victim in found:
        parts += [
            f"![Images of {victim.dataset} under each attack](case-{victim.dataset}.png)",
            f"{victim.dataset}, `{victim.name}`; above each column the true class. "
            f"Attacks at {signed(victim.budgets[-1])} dB"
            + (f", Mallory after {victim.aim}." if victim.aim else "."),
            _quality(victim),
        ]
    parts += [
        "![PSNR by class](class-psnr_db.svg)",
        "![SSIM by class](class-ssim.svg)",
        READING,
        facts(table),
        warnings(table),
        "## Claim by claim",
    ]
    parts += [claim.section(number) for number, claim in enumerate(claims(found), start=1)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _classes(victim: AttackedLink) -> dict[str, str]:
    """What the table is about: all images, and those of the class aimed at."""
    words = (victim.aim or "").split()
    some = {f"class {words[1]}": f"_class_{words[1]}"} if words[:1] == ["class"] else {}
    return {"all images": "", **some}


def _quality(victim: AttackedLink) -> str:
    """A table of the pictures' rows: accuracy, PSNR and SSIM at the budget that they show."""
    psr_db = victim.budgets[-1]
    classes = _classes(victim)
    heads = [
        f"{metric}, {who}" for who in classes for metric in ("accuracy, %", "PSNR, dB", "SSIM")
    ]
    lines = []
    for row in victim.rows.values():
        cells = []
        for suffix in classes.values():
            right = victim.at(row.attack, f"accuracy{suffix}", psr_db, row.protocol)
            psnr = victim.at(row.attack, f"psnr_db{suffix}", psr_db, row.protocol)
            ssim = victim.at(row.attack, f"ssim{suffix}", psr_db, row.protocol)
            cells += [
                right.percent() if right else "–",
                level(psnr, 2) if psnr else "–",
                level(ssim, 3) if ssim else "–",
            ]
        lines.append([row.name, *cells])
    return markdown_table(["attack", *heads], lines)


def claims(found: Sequence[AttackedLink]) -> list[Claim]:
    """Judge what the paper says of its pictures, by PSNR on the class aimed at.

    Args:
        found: Links whose Bob rebuilds images.
    """
    levels = sorted({psr_db for victim in found for psr_db in victim.budgets})
    return [
        Claim.judged(
            "Distortions by SemAdv and by jamming are comparable",
            f"Taken as: at most {SAME_DB:g} dB below jamming of the same energy, on images of the "
            "class aimed at.",
            LINK,
            levels,
            on_links(found, _alike),
        ),
        Claim.judged(
            "Distortions by PGD and PGM are obviously larger",
            f"Taken as: at least {SHARP_DB:g} dB below SemAdv, on images of the class aimed at.",
            ATTACKS,
            levels,
            on_attacks(found, _worse, (PGD, PGM)),
        ),
    ]


def _below(victim: AttackedLink, one: str, other: str, psr_db: float) -> Number | None:
    """PSNR of the class aimed at under one attack, less that under another, dB."""
    metric = f"psnr_db{list(_classes(victim).values())[-1]}"
    return gap(victim.at(one, metric, psr_db), victim.at(other, metric, psr_db))


def _alike(victim: AttackedLink, psr_db: float) -> Finding | None:
    below = _below(victim, JAMMING, SEMADV, psr_db)
    return None if below is None else Finding(at_most(below, SAME_DB), f"{level(below, 2)} dB")


def _worse(victim: AttackedLink, attack: str, psr_db: float) -> Finding | None:
    below = _below(victim, SEMADV, attack, psr_db)
    return None if below is None else Finding(at_least(below, SHARP_DB), f"{level(below, 2)} dB")


_INTRODUCTION = """# What Bob sees under each attack

Nan et al. (arXiv 2305.07220, section V-C, Figure 10) show what their link rebuilds on CIFAR-10
under each attack and conclude that the distortion by SemAdv is like that of noise, while PGD and
PGM make pictures hard to recognise. Here are the same rows, of the first test images whatever they
show, in pixels as they are. Pictures persuade easily; below them is the mean over the test images.
"""
