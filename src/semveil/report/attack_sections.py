"""The parts of the page that tell of attacks on Bob; each is HTML, or empty without any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from semveil.report.attack_rows import NONE, AttackRow, attack_rows, by_system, merged, panels_of
from semveil.report.attacks import html_attacks
from semveil.report.figures.attacks import against_psr, by_class, per_class
from semveil.report.figures.case import attack_grid, attacked
from semveil.report.folder import RunFolder
from semveil.report.markup import tag, text
from semveil.report.sanity_checks import RULES, strength, violations
from semveil.report.sections import figure_of, title_of
from semveil.report.summary import Measure, signed
from semveil.report.table import percent

READING = (
    "Mallory adds a perturbation of a stated energy to what arrives at Bob’s antenna: that energy "
    "over the signal’s is the PSR, met exactly for every image. Jamming is noise of the same "
    "energy. FGM and PGD are made for each image, knowing Bob’s receiver and the fading; a "
    "universal perturbation (UAP), PGM and SemAdv are the same whatever is sent; transfer knows a "
    "receiver of Mallory’s own only, and blackbox asks for Bob’s answers. All attacks meet the "
    "same images, fading and noise."
)


def asked(runs: Sequence[RunFolder]) -> list[str]:
    """Return the attacks that runs were asked for, as far as they say so."""
    return [
        name
        for run in runs
        if "attacked" in run.about
        for name in run.about.get("recipe", {}).get("attack", {}).get("names", [])
    ]


def summary(found: Sequence[AttackRow]) -> str:
    """Say in words what Bob gets undisturbed and under the strongest attack, and what is odd."""
    if not found:
        return ""
    said = []
    for group in by_system(found):
        aim = f", Mallory after {group[0].aim}" if group[0].aim else ""
        said += [tag("dt", text(group[0].system + aim)), tag("dd", text(_words(group)))]
    odd = [tag("p", tag("strong", "Warning: "), text(words)) for words in violations(found)]
    rules = "; ".join(RULES)
    sound = tag(
        "p", text(f"No ordering is broken that must hold of any attacks: {rules}."), class_="meta"
    )
    return tag("dl", *said, class_="systems") + ("".join(odd) or sound)


def _words(group: Sequence[AttackRow]) -> str:
    plain = next((row for row in group if row.attack == NONE), None)
    rows = [row for row in group if row.budgets]
    top = max(psr_db for row in rows for psr_db in row.budgets)
    right = plain and plain.at("accuracy")
    sentences = [f"Undisturbed Bob gets {_rate(right)} right."] if right else []
    others = [row for row in rows if row.attack != "jamming"]
    ranked = {row.name: (row, strength(row, top)) for row in others}
    known = {name: (row, hit) for name, (row, hit) in ranked.items() if hit}
    if known:
        name, (row, _) = max(known.items(), key=lambda item: item[1][1].value)
        sentences.append(f"At {signed(top)} dB {name} does most: {_left(row, top)}.")
    noise = next((row for row in rows if row.attack == "jamming"), None)
    if noise:
        sentences.append(f"Under jamming of the same energy: {_left(noise, top)}.")
    return " ".join(sentences)


def _left(row: AttackRow, psr_db: float) -> str:
    misled, right = row.at("misleading_rate", psr_db), row.at(row.hit, psr_db)
    parts = [f"{_rate(misled)} misled"] if misled else []
    return " and ".join([*parts, *([f"{_rate(right)} right"] if right else [])])


def _rate(measure: Measure) -> str:
    span = f"{percent(measure.low)}–{percent(measure.high)}"
    return f"{percent(measure.value)}\N{NO-BREAK SPACE}% ({span})"


def results(found: Sequence[AttackRow]) -> str:
    """Return the tables, one per system, and what the attacks are."""
    return html_attacks(found) + tag("p", text(READING)) if found else ""


def curves(table: pd.DataFrame) -> str:
    """Return accuracy against the PSR, beside it what an aim asks for."""
    found = [row for row in attack_rows(merged(table)) if not row.table.empty]
    if not found:
        return ""
    panels = panels_of(found)
    bars = "Bars are 95 % intervals, the line across is Bob undisturbed."
    pieces = [
        figure_of(
            against_psr(panels),
            "psraccuracy",
            f"Bob’s accuracy against the PSR, one line an attack. {bars}",
        )
    ]
    metrics = {metric for row in found if row.budgets for metric in row.table["metric"]}
    if any(row.aim and "accuracy_targeted" in set(row.table["metric"]) for row in found):
        drawing = against_psr(panels, "accuracy_targeted", beside="accuracy_others")
        about = f"Accuracy of images of the class aimed at, and of all others. {bars}"
        pieces.append(figure_of(drawing, "psraimed", about))
    if "misleading_rate" in metrics:
        about = f"Share of images that Bob assigns to the class that Mallory chose. {bars}"
        pieces.append(figure_of(against_psr(panels, "misleading_rate"), "psrmisled", about))
    return "".join(pieces)


def classes(table: pd.DataFrame) -> str:
    """Return accuracy and PSNR class by class, each at its highest budget."""
    found = [row for row in attack_rows(merged(table)) if not row.table.empty]
    pieces = []
    for metric, word in {"accuracy": "Accuracy", "psnr_db": "PSNR"}.items():
        if any(per_class(row, metric, max(row.budgets)) for row in found if row.budgets):
            about = f"{word} by class, every attack at its highest PSR. Thin lines: 95 % intervals."
            drawing = by_class(panels_of(found), metric)
            pieces.append(figure_of(drawing, f"class{metric}", about))
    return "".join(pieces)


def pictures(named: Mapping[str, RunFolder], found: Sequence[AttackRow]) -> str:
    """Return the images of each run that was attacked, one row an attack."""
    pieces: list[str] = []
    for number, (name, run) in enumerate(named.items()):
        for system in attacked(run.samples) if "originals" in run.samples else ():
            scores = {}
            for row in found:
                mine = dict(row.condition).get("run", name) == name and row.system == system
                psnr = row.at("psnr_db", max(row.budgets, default=None)) if mine else None
                if psnr:
                    scores[row.attack] = f"{psnr.value:.1f} dB"
            about = (
                "Images as they were, with their labels, and as Bob rebuilt them under each attack "
                "at its highest PSR; beside them the mean PSNR over the test images."
            )
            drawing = attack_grid(run.samples, system, scores=scores)
            key = f"attacked{number}{len(pieces)}"
            pieces.append(title_of(named, name) + figure_of(drawing, key, about))
    return "".join(pieces)
