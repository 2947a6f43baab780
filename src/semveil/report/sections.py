"""The parts of the page; each is HTML, or empty where there is nothing to show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from semveil.records import to_line
from semveil.report import figures
from semveil.report.figures.case import attacked
from semveil.report.folder import RunFolder
from semveil.report.markup import data_uri, tag, terms, text
from semveil.report.select import SETTING, frame, present
from semveil.report.summary import RULES, Row, Verdict
from semveil.report.table import TONES, heading, html_table
from semveil.report.words import headline, lead, systems

if TYPE_CHECKING:
    from matplotlib.figure import Figure

READING = (
    "Alice sends each image once; Bob and Eve hear the same waveform, each over a channel of their "
    "own. SNR is E<sub>s</sub>/N<sub>0</sub>: the mean energy of a complex symbol over that of the "
    "noise on it, with one unit of power per symbol, held image by image. PSR is the energy of a "
    "perturbation over that of the signal at the antenna that it reaches. The latent dimension d "
    "counts reals, so an image takes d/2 channel uses. Accuracy is top-1; PSNR is taken on images "
    "rounded to 8 bits.",
    "The paper’s Eve is the adversary that the scheme’s own paper trains beside the defence; her "
    "failure shows little. Fresh Eves are trained from scratch once the defence is frozen, in "
    "several capacities, on images that it did not train on, and know everything but the secret; "
    "the strongest of them counts. An Eve with Bob’s SNR, labels to learn from and no secret "
    "missing can learn what Bob knows. So look at what protects each system: Eve wants something "
    "else (task), hears worse (channel), lacks a secret (key), or merely knows less (knowledge), "
    "which is no security.",
)
FACTS = ("command", "study", "budget", "seed", "wall_s", "version", "versions", "hardware")
METRICS = {"accuracy": "Accuracy", "psnr_db": "PSNR", "ssim": "SSIM"}


def reading() -> str:
    """Say what the terms mean."""
    return "".join(tag("p", paragraph) for paragraph in READING)


def summary(found: list[Row]) -> str:
    """Say in words what each party gets."""
    verdicts = {row.name: row.label for row in systems(found)}
    several = len(verdicts) < len(systems(found))
    sentences = []
    for name, paragraphs in headline(found):
        badge = "" if several else _badge(verdicts[name])
        sentences.append(tag("dt", text(name), badge))
        sentences += [tag("dd", text(paragraph)) for paragraph in paragraphs]
    return tag("p", text(lead(found)), class_="lead") + tag("dl", *sentences, class_="systems")


def _badge(verdict: Verdict) -> str:
    return tag("span", verdict.value, class_=f"verdict {TONES[verdict]}")


def results(found: list[Row]) -> str:
    """Return the table, and the rule behind its verdicts."""
    box = tag("div", html_table(found), **_scrolls("Table of results"))
    used = {row.label for row in found} | {row.image for row in found}
    rules = (
        tag("dt", _badge(verdict)) + tag("dd", rule)
        for verdict, rule in RULES.items()
        if verdict in used
    )
    last = "If the paper’s Eve beats every fresh one, it is she who counts."
    return box + tag("dl", *rules, class_="facts rules") + tag("p", last, class_="meta")


def _scrolls(name: str) -> dict[str, str]:
    """Attributes of a box that scrolls sideways, reachable by keyboard."""
    return {"class_": "box", "role": "region", "tabindex": "0", "aria_label": name}


def figure_of(drawing: Figure, name: str, caption: str) -> str:
    """Return a figure in a box that scrolls sideways, with its caption."""
    svg = figures.inline(drawing, name=name, about=caption)
    box = tag("div", svg, **_scrolls(caption.split(".")[0]))
    return tag("figure", box, tag("figcaption", text(caption)))


def privacy(table: pd.DataFrame, found: list[Row], colours: Mapping[str, str]) -> str:
    """Return Bob's accuracy against Eve's."""
    if not any(row.bob_accuracy and (row.eve_fresh or row.eve_paper) for row in found):
        return ""
    caption = (
        "Bob’s accuracy against the strongest Eve’s, both at Bob’s SNR. Hollow: the paper’s Eve; "
        "filled: fresh Eves; an arrow leads from one to the other. Up and left is better. Bars "
        "are 95 % intervals, dotted lines are guessing."
    )
    if table["latent_dim"].nunique() > 1:
        caption += " The larger the marker, the larger the latent dimension."
    return figure_of(figures.privacy_utility(table, colours=colours), "privacy", caption)


def against_snr(table: pd.DataFrame, colours: Mapping[str, str]) -> str:
    """Return one figure per condition and metric, folded away after the first condition."""
    pieces: list[str] = []
    folded: list[str] = []
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db"]
    varying = [key for key in keys if table[key].nunique(dropna=False) > 1]
    measured = table[table["role"].isin(["bob", "eve"])]
    groups = measured.groupby(keys, dropna=False, sort=False)
    for number, (values, group) in enumerate(groups):
        title = heading((k, v) for k, v in zip(keys, values, strict=True) if k in varying)
        part = pd.concat([group, table[table["role"] == "system"]])
        for metric, word in METRICS.items():
            if figures.parties(part, metric)["test_snr_db"].nunique() < 2:
                continue
            if number and metric == "ssim":
                continue  # one suffices to see that it goes with PSNR; all of it is in the records
            caption = (
                f"{word} against SNR, each party at its own"
                + (f" ({title})" if title else "")
                + ". Bars are 95 % intervals, dotted lines are guessing."
            )
            drawing = figures.against_snr(part, metric, colours=colours)
            chosen = pieces if number == 0 and metric != "ssim" else folded
            chosen.append(figure_of(drawing, f"snr{number}{metric}", caption))
    return "".join(pieces) + _folded(folded)


def against_dimension(table: pd.DataFrame, colours: Mapping[str, str]) -> str:
    """Return one figure per metric, if there are several dimensions."""
    if table["latent_dim"].nunique() < 2:
        return ""
    pieces: list[str] = []
    folded: list[str] = []
    for metric, word in METRICS.items():
        if figures.parties(table, metric)["latent_dim"].nunique() > 1:
            caption = (
                f"{word} against the latent dimension, at Bob’s SNR. "
                "Bars are 95 % intervals, dotted lines are guessing."
            )
            drawing = figures.against_dimension(table, metric, colours=colours)
            chosen = folded if metric == "ssim" else pieces
            chosen.append(figure_of(drawing, f"dimension{metric}", caption))
    return "".join(pieces) + _folded(folded)


def _folded(drawings: list[str]) -> str:
    if not drawings:
        return ""
    return tag("details", tag("summary", f"Further figures ({len(drawings)})"), *drawings)


def pictures(named: Mapping[str, RunFolder], found: list[Row]) -> str:
    """Return the images of each run, beside their mean PSNR."""
    pieces = []
    for number, (name, run) in enumerate(named.items()):
        if not len(run.samples.get("originals", ())) or attacked(run.samples):
            continue
        mine = [row for row in found if dict(row.condition).get("run", name) == name]
        often = Counter(row.system for row in mine)
        scores = {}
        for row in mine:
            for party, psnr in (("bob", row.bob_psnr), ("eve", row.eve_psnr)):
                # Nothing says which of a system's several settings the images are from.
                if psnr and often[row.system] == 1:
                    scores[f"{party}/{row.system}"] = f"{psnr.value:.1f} dB"
        floors = {row.floor_db for row in mine if row.floor_db is not None}
        floor = f"the mean image: {floors.pop():.1f} dB" if len(floors) == 1 else None
        drawing = figures.reconstruction_grid(run.samples, scores=scores, floor=floor)
        caption = (
            "Images as they were, with their labels, as Bob rebuilt them, and as the strongest "
            "Eve did; beside them the mean PSNR over the test images at Bob’s SNR."
        )
        pieces.append(title_of(named, name) + figure_of(drawing, f"pictures{number}", caption))
    return "".join(pieces)


def symbols(named: Mapping[str, RunFolder], colours: Mapping[str, str]) -> str:
    """Return the symbols of each run."""
    pieces = []
    for number, (name, run) in enumerate(named.items()):
        waves = {key: wave for key, wave in run.samples.items() if key.startswith("waveform/")}
        if waves:
            drawing = figures.constellation(waves, colours=colours)
            caption = (
                "The complex symbols that Alice sends. The circle has the radius of unit power."
            )
            pieces.append(title_of(named, name) + figure_of(drawing, f"symbols{number}", caption))
    return "".join(pieces)


def training(named: Mapping[str, RunFolder]) -> str:
    """Return the losses of each run."""
    pieces = []
    for number, (name, run) in enumerate(named.items()):
        if run.history:
            drawing = figures.training_curves(run.history)
            caption = "Losses against the step, one panel per stage of the training."
            pieces.append(title_of(named, name) + figure_of(drawing, f"training{number}", caption))
    return "".join(pieces)


def title_of(named: Mapping[str, RunFolder], name: str) -> str:
    """Return a run's name as a heading, where there are several."""
    return tag("h3", text(name)) if len(named) > 1 else ""


def runs(named: Mapping[str, RunFolder]) -> str:
    """Return what each run was made with, and its whole configuration."""
    pieces = []
    for name, run in named.items():
        if not run.about:
            continue
        facts: list[tuple[str, object]] = []
        for key in FACTS:
            value = run.about.get(key)
            if isinstance(value, Mapping):
                facts += [(str(inner), content) for inner, content in value.items()]
            elif value is not None:
                facts.append((key.replace("wall_s", "wall time, s"), value))
        whole = json.dumps(run.about, indent=2, ensure_ascii=False)
        pieces += [
            title_of(named, name),
            terms(facts),
            tag("details", tag("summary", "Full configuration"), tag("pre", text(whole))),
        ]
    return "".join(pieces)


def records(runs: list[RunFolder]) -> str:
    """Return links to the records themselves, which the page carries."""
    every = [record for run in runs for record in run.records]
    lines = "".join(to_line(record) + "\n" for record in every)
    links = (
        tag(
            "a",
            "records.jsonl",
            href=data_uri(lines.encode(), "application/jsonl"),
            download="records.jsonl",
        ),
        tag(
            "a",
            "records.csv",
            href=data_uri(frame(every).to_csv(index=False).encode(), "text/csv"),
            download="records.csv",
        ),
    )
    return tag("p", f"All {len(every)} records of this page: {links[0]} or {links[1]}.")
