"""The page of the study of defences: trainings against attacks, claim by claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from semveil.report.attack_rows import NONE, AttackRow
from semveil.report.figures.attacks import against_psr, by_class
from semveil.report.summary import signed
from semveil.studies.attack_claims import PGM, SEMADV
from semveil.studies.attack_records import victims
from semveil.studies.attack_tables import READING, facts, middle, warnings
from semveil.studies.defence_claims import (
    ADAPTIVE,
    PAPER,
    PLAIN,
    SPECIALISTS,
    Family,
    claims,
    families,
)
from semveil.studies.verdicts import summary
from semveil.studies.words import markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Those of the paper's Figures 7 and 8.
PAPERS = (PLAIN, *SPECIALISTS.values(), "semmixed")
_MADE = {PAPER: "made for the plain link", ADAPTIVE: "made for this very link"}


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return accuracy against PSR, one panel per attack, and the paper's figures by class."""
    found = families(victims(table))
    drawn: dict[str, Figure] = {}
    for family in found:
        drawn[f"accuracy-{_file(family)}.svg"] = against_psr(_lines(family))
        for metric in _classed(family):
            panels = _lines(family, (SEMADV, PGM), PAPERS)
            home = middle(family.members.values())
            drawn[f"class-{metric}-{_file(family)}.svg"] = by_class(panels, metric, home)
    return drawn


def _file(family: Family) -> str:
    words = f"{family.dataset}-{family.link}".replace("(", "").replace(")", "")
    return "-".join(words.split())


def _classed(family: Family) -> list[str]:
    """Metrics of which there are figures by class under the generators."""
    rows = [row for member in family.members.values() for row in member.rows.values()]
    names = {name for row in rows if row.attack in (SEMADV, PGM) for name in row.table["metric"]}
    metrics = ("accuracy", "psnr_db")
    return [m for m in metrics if any(name.startswith(f"{m}_class_") for name in names)]


def _attacks(family: Family) -> list[tuple[str, str]]:
    """Attacks and protocols that some member met, in their order."""
    return list(dict.fromkeys(key for member in family.members.values() for key in member.rows))


def _row(family: Family, training: str, attack: str, protocol: str) -> AttackRow | None:
    """What is drawn of a training; on the plain link every generator was made for it."""
    made = ADAPTIVE if training == PLAIN and protocol == PAPER else protocol
    return family.members[training].rows.get((attack, made))


def _lines(
    family: Family,
    attacks: Sequence[str] | None = None,
    trainings: Sequence[str] | None = None,
) -> dict[str, dict[str, AttackRow]]:
    """Return one panel per attack and protocol, one line per training."""
    panels: dict[str, dict[str, AttackRow]] = {}
    for attack, protocol in _attacks(family):
        if attack == NONE or (attacks is not None and attack not in attacks):
            continue
        made = f", {_MADE[protocol]}" if attack in SPECIALISTS else ""
        rows = {
            name: _row(family, name, attack, protocol)
            for name in trainings or family.members
            if name in family.members
        }
        panels[f"{attack}{made}"] = {name: row for name, row in rows.items() if row}
    return panels


def page(table: pd.DataFrame) -> str:
    """Return the page: method, tables, figures, claim by claim, and where the paper is silent."""
    found = families(victims(table))
    parts = [_INTRODUCTION, READING, facts(table), warnings(table)]
    for family in found:
        parts += [f"## {family.dataset}, `{family.link}`: Bob's accuracy, %", _table(family)]
        parts.append(f"![Accuracy against the PSR](accuracy-{_file(family)}.svg)")
        home = middle(family.members.values())
        at = "" if home is None else f", at {signed(home)} dB"
        titles = {"accuracy": "Accuracy", "psnr_db": "PSNR"}
        parts += [
            f"![{titles[metric]} by class{at}](class-{metric}-{_file(family)}.svg)"
            for metric in _classed(family)
        ]
    judged = claims(found)
    parts += ["## Claim by claim", summary(judged)]
    parts += [claim.section(number) for number, claim in enumerate(judged, start=1)]
    return "\n\n".join(part.strip() for part in [*parts, _SILENT]) + "\n"


def _table(family: Family) -> str:
    """Bob's accuracy: one line per attack and budget, one column per training."""
    lines = []
    for attack, protocol in _attacks(family):
        for psr_db in middle_and_ends(family) if attack != NONE else (0.0,):
            cells = [family.right(name, attack, psr_db, protocol) for name in family.members]
            made = f" ({_MADE[protocol]})" if attack in SPECIALISTS else ""
            budget = "–" if attack == NONE else f"{signed(psr_db)} dB"
            name = "nobody" if attack == NONE else attack
            lines.append([f"{name}{made}", budget, *(c.percent() if c else "–" for c in cells)])
    return markdown_table(["attack", "PSR", *family.members], lines)


def middle_and_ends(family: Family) -> list[float]:
    """Return the lowest, the middle and the highest budget, dB."""
    every = sorted({psr_db for member in family.members.values() for psr_db in member.budgets})
    return sorted({every[0], every[len(every) // 2], every[-1]}) if every else []


_INTRODUCTION = """# MobileSC trained against attacks

Nan et al. (arXiv 2305.07220, section IV-F, Figures 7 and 8) train MobileSC against PGM, against
SemAdv and against both (SemMixed) and attack it with PGM and SemAdv. Here: the same, beside noise
of the perturbation's power and PGD in training, and what the paper leaves out. It does not say
which link its generators practised on when they attacked a hardened one; a generator that was *made
for the plain link* shows what the hardened link makes of yesterday's attack, one that was *made for
this very link* what an attacker gets who goes on learning. SemAdv is aimed at the class of every
image in turn, as in the paper, and its accuracy is that of the images whose class is aimed at.
Every hardened link began with the plain one's weights, so that the plain link has had fewer steps
of training than they: `noise`, which has had as many, is the control. So is it for generators:
those made for a hardened link begin from the plain link's as well and have trained twice as long.
"""

_SILENT = """## Where the paper is silent, and what was chosen

SNR and PSR of the figures are lost in the text that we have: Bob is at 10 dB, PSR −10 to −2 dB.
Budget, share and length of the training against attacks are stated nowhere: half of every batch is
perturbed, at budgets uniform over the 8 dB below the highest, and SemMixed draws PGM or SemAdv by
lot, one class at random for SemAdv. The generators learn on, one step for some of the link's
(`harden` in `run.json`), instead of staying as they were: against a frozen generator a link need
only learn that generator. All links meet the same images, fading and noise.
"""
