"""The page of the study of attacks: tables, figures, and claim by claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from semveil.report.figures.attacks import against_psr, by_class
from semveil.report.summary import signed
from semveil.studies.attack_claims import claims
from semveil.studies.attack_records import AttackedLink, victims
from semveil.studies.attack_tables import READING, accuracies, drawn, facts, middle, warnings
from semveil.studies.verdicts import summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Those of the paper's Figure 6.
PAPERS = ("jamming", "pgd", "pgm", "semadv")
_BY_CLASS = {"accuracy": "Accuracy", "psnr_db": "PSNR", "ssim": "SSIM"}


def _sorted(table: pd.DataFrame) -> tuple[list[AttackedLink], list[AttackedLink]]:
    """Return links under attacks on one class, and under attacks that want one answer."""
    found = victims(table)
    misled = [victim for victim in found if (victim.aim or "").startswith("to class")]
    return [victim for victim in found if victim not in misled], misled


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return accuracy against PSR, figures by class, and the misleading rate."""
    aimed, misled = _sorted(table)
    found: dict[str, Figure] = {}
    if aimed:
        found["accuracy.svg"] = against_psr(drawn(aimed))
        if any(victim.aim for victim in aimed):
            found["aimed.svg"] = against_psr(
                drawn(aimed, PAPERS), "accuracy_targeted", beside="accuracy_others"
            )
        for metric in _classed(aimed):
            found[f"class-{metric}.svg"] = by_class(drawn(aimed, PAPERS), metric, middle(aimed))
    if misled:
        found["misled.svg"] = against_psr(drawn(misled), "misleading_rate")
    return found


def _classed(found: list[AttackedLink]) -> list[str]:
    """Metrics of which there are figures by class."""
    names = {name for v in found for row in v.rows.values() for name in row.table["metric"]}
    return [m for m in _BY_CLASS if any(name.startswith(f"{m}_class_") for name in names)]


def page(table: pd.DataFrame) -> str:
    """Return the page: method, tables, figures, claim by claim, and where the paper is silent."""
    aimed, misled = _sorted(table)
    parts = [_INTRODUCTION, READING, facts(table), warnings(table)]
    for dataset in dict.fromkeys(victim.dataset for victim in aimed):
        here = [victim for victim in aimed if victim.dataset == dataset]
        aim = f", Mallory after {here[0].aim}" if here[0].aim else ""
        parts += [f"## {dataset}: Bob's accuracy{aim}", accuracies(here)]
    if aimed:
        parts.append("![Accuracy against the PSR](accuracy.svg)")
        if any(victim.aim for victim in aimed):
            parts.append("![Accuracy of the class aimed at, and of all others](aimed.svg)")
        home = middle(aimed)
        parts.append("## Class by class" + ("" if home is None else f", at {signed(home)} dB"))
        parts += [f"![{_BY_CLASS[m]} by class](class-{m}.svg)" for m in _classed(aimed)]
    if misled:
        answer = (misled[0].aim or "").removeprefix("to ")
        parts += [f"## Bob is to answer {answer}", accuracies(misled)]
        parts.append("![Misleading rate against the PSR](misled.svg)")
    found = claims(aimed, misled)
    parts += ["## Claim by claim", summary(found)]
    parts += [claim.section(number) for number, claim in enumerate(found, start=1)]
    return "\n\n".join(part.strip() for part in [*parts, _FADING, _SILENT]) + "\n"


_INTRODUCTION = """# MobileSC under attack

Nan et al. (arXiv 2305.07220, section IV-E, Figure 6) attack their semantic
link MobileSC with jamming, PGD, PGM and their own SemAdv. Here: the same link over OFDM and
multipath, the attacks of the paper and those that it leaves out (FGM, a universal perturbation,
transfer from a surrogate, queries without a gradient). `mobilesc` classifies the image that Bob
rebuilds, `mobilesc (latent)` what he received, without rebuilding. Every attack that learns was
trained against this very link, on images that the link was not trained on.
"""

_FADING = """## What a perturbation can do through fading that it does not know

An attack that is the same for all images is added at Bob's antenna. Bob estimates his channel and
divides by it, so that a perturbation of fixed symbols leaves his equaliser turned by the phase of
the channel on every subcarrier, which changes from image to image and which Mallory cannot know:
to the symbols she adds noise whose direction she does not command, the more so the more
subcarriers fade independently. What is left to her is power where the receiver is sensitive, and
the pilots: a perturbation on them spoils the estimate. PGD per input is handed the channel of the
very image and turns with it; the paper compares the two without saying so.
"""

_SILENT = """## Where the paper is silent, and what was chosen

The numbers in the text that we have are lost: SNR and PSR of each figure, the points of accuracy
and the decibels. Chosen: Bob at 10 dB, PSR from −10 to −2 dB as in its Table II, class 2 aimed at
and class 5 to be answered, the two that its text names. Imagenette has no frogs; its class 2 is
the cassette player. "Rayleigh parameter 1.5" was taken as the decay of the power-delay profile
(8 taps, `exp(−l / 1.5)`). The wrong class of equation (13) is drawn afresh in every step. How long
Mallory trains, on how many images and with what diversity is not stated: see `attack` in
`run.json`, and widths and epochs of the link beside it. Per-image attacks know Bob's receiver, the
image's own waveform and the fading, not his noise. MNIST is padded to 32 × 32, which the paper's
1134 reals imply.
"""
