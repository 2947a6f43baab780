"""The report: one HTML file that needs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from semveil.files import write_atomic
from semveil.records import to_line
from semveil.report import figures
from semveil.report.folder import Run, read_run
from semveil.report.markup import data_uri, tag, terms, text
from semveil.report.select import SETTING, frame, present
from semveil.report.summary import RULES, Row, Verdict, rows
from semveil.report.table import TONES, heading, html_table
from semveil.report.words import headline, lead, systems

READING = (
    "Alice sends each image once; Bob and Eve hear the same waveform over channels of their own. "
    "SNR is the mean energy per complex symbol over the noise’s, E_s/N_0, with one unit of power "
    "per symbol and image; PSR is the energy of a perturbation over that of the signal at the "
    "antenna that it reaches. The latent dimension d counts reals: d/2 channel uses per image. "
    "Accuracy is top-1; PSNR is taken on images rounded to 8 bits; intervals are 95 %.",
    "The paper’s Eve is the adversary as the scheme’s paper trains it, beside the defence: her "
    "failure shows little. Fresh Eves are trained from scratch after the defence was frozen, on "
    "images it did not train on, in several capacities, knowing all but the secret; the strongest "
    "counts. If Eve has Bob’s SNR, labels to learn from and lacks no secret, nothing prevents her "
    "from learning what Bob knows: look at what protects each system, and at Eve’s SNR.",
)


def write_report(path: Path, folders: Iterable[Path]) -> None:
    """Write a self-contained page on one run, or on several beside each other.

    The same folders give the same bytes. What a folder lacks besides its records is left out.

    Args:
        path: HTML file to write; its folder must exist.
        folders: Folders of runs, at least one, each with a ``records.jsonl``.

    Raises:
        SemveilError: If a folder has no records or a broken file, or the page cannot be written.
    """
    runs = [read_run(folder) for folder in folders]
    names = _distinct([run.name for run in runs])
    parts = []
    for name, run in zip(names, runs, strict=True):
        part = frame(run.records)
        if len(runs) > 1:
            part.insert(0, "run", name)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    found = rows(table)
    colours = figures.palette(table["scheme"])
    named = dict(zip(names, runs, strict=True))

    sections = [
        ("summary", "Summary", _summary(found)),
        ("table", "What each party gets", _table(found)),
        ("privacy", "Privacy and utility", _privacy(table, found, colours)),
        ("snr", "Against the SNR", _snr(table, colours)),
        ("dimension", "Against the latent dimension", _dimension(table, colours)),
        ("pictures", "What they see", _pictures(named, found)),
        ("symbols", "On the air", _symbols(named, colours)),
        ("training", "Training", _training(named)),
        ("reading", "How to read this page", "".join(tag("p", part) for part in READING)),
        ("runs", "How it was run", _runs(named)),
        ("records", "Records", _records(runs, table)),
    ]
    sections = [section for section in sections if section[2]]
    links = (tag("li", tag("a", title, href=f"#{key}")) for key, title, _ in sections)
    here = resources.files(__package__)
    page = Template(here.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=text(", ".join(names)),
        style=here.joinpath("style.css").read_text(encoding="utf-8"),
        meta=_meta(table),
        contents=tag("ul", *links),
        main="\n".join(
            tag("section", tag("h2", title), body, id=key) for key, title, body in sections
        ),
    )
    write_atomic(path, page)


def _distinct(names: list[str]) -> list[str]:
    """Number the folders that share a name."""
    return [
        name if names.count(name) == 1 else f"{name} ({names[:place].count(name) + 1})"
        for place, name in enumerate(names)
    ]


def _meta(table: pd.DataFrame) -> str:
    """What was measured, in one line."""
    seeds = sorted(table["seed"].unique())
    parts = [*table["dataset"].unique(), *table["channel"].unique()]
    parts.append(f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}")
    parts.append(f"{len(table)} records")
    return text(" · ".join(parts))


def _summary(found: list[Row]) -> str:
    verdicts = {row.name: row.label for row in systems(found)}
    several = len(verdicts) < len(systems(found))
    sentences = []
    for name, words in headline(found):
        badge = "" if several else _badge(verdicts[name])
        sentences.append(tag("dt", text(name), badge) + tag("dd", text(words)))
    return tag("p", text(lead(found)), class_="lead") + tag("dl", *sentences, class_="systems")


def _badge(verdict: Verdict) -> str:
    return tag("span", verdict.value, class_=f"verdict {TONES[verdict]}")


def _table(found: list[Row]) -> str:
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


def _figure(drawing: Any, name: str, caption: str) -> str:
    svg = figures.inline(drawing, name=name, about=caption)
    return tag("figure", tag("div", svg, **_scrolls("Figure")), tag("figcaption", text(caption)))


def _privacy(table: pd.DataFrame, found: list[Row], colours: Mapping[str, str]) -> str:
    if not any(row.bob_accuracy and (row.eve_fresh or row.eve_paper) for row in found):
        return ""
    caption = (
        "Bob’s accuracy against the strongest Eve’s, both at Bob’s SNR. Hollow: the paper’s Eve; "
        "filled: fresh Eves; the arrow leads from one to the other. Up and left is better. Bars "
        "are 95 % intervals, dotted lines are guessing."
    )
    return _figure(figures.privacy_utility(table, colours=colours), "privacy", caption)


def _snr(table: pd.DataFrame, colours: Mapping[str, str]) -> str:
    """One figure per condition and metric; those after the first condition are folded away."""
    pieces: list[str] = []
    folded: list[str] = []
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db"]
    varying = [key for key in keys if table[key].nunique() > 1]
    measured = table[table["role"].isin(["bob", "eve"])]
    groups = measured.groupby(keys, dropna=False, sort=False)
    for number, (values, group) in enumerate(groups):
        title = heading((k, v) for k, v in zip(keys, values, strict=True) if k in varying)
        part = pd.concat([group, table[table["role"] == "system"]])
        for metric, word in (("accuracy", "Accuracy"), ("psnr_db", "PSNR"), ("ssim", "SSIM")):
            if figures.parties(part, metric)["test_snr_db"].nunique() < 2:
                continue
            caption = (
                f"{word} against SNR, each party at its own"
                + (f" ({title})" if title else "")
                + ". Bars are 95 % intervals, dotted lines are guessing."
            )
            drawing = figures.against_snr(part, metric, colours=colours)
            if number and metric == "ssim":
                continue  # one suffices to see that it goes with PSNR; all of it is in the records
            chosen = pieces if number == 0 and metric != "ssim" else folded
            chosen.append(_figure(drawing, f"snr{number}{metric}", caption))
    if folded:
        pieces.append(tag("details", tag("summary", f"Further figures ({len(folded)})"), *folded))
    return "".join(pieces)


def _dimension(table: pd.DataFrame, colours: Mapping[str, str]) -> str:
    if table["latent_dim"].nunique() < 2:
        return ""
    pieces = []
    for metric, word in (("accuracy", "Accuracy"), ("psnr_db", "PSNR"), ("ssim", "SSIM")):
        if figures.parties(table, metric)["latent_dim"].nunique() > 1:
            caption = (
                f"{word} against the latent dimension, at Bob’s SNR. "
                "Bars are 95 % intervals, dotted lines are guessing."
            )
            drawing = figures.against_dimension(table, metric, colours=colours)
            pieces.append(_figure(drawing, f"dimension{metric}", caption))
    return "".join(pieces)


def _pictures(named: Mapping[str, Run], found: list[Row]) -> str:
    pieces = []
    for number, (name, run) in enumerate(named.items()):
        if "originals" not in run.samples:
            continue
        mine = [row for row in found if dict(row.condition).get("run", name) == name]
        scores = {}
        for row in mine:
            for party, psnr in (("bob", row.bob_psnr), ("eve", row.eve_psnr)):
                if psnr:
                    scores[f"{party}/{row.scheme}"] = f"{psnr.value:.1f} dB"
        floors = {row.floor_db for row in mine if row.floor_db is not None}
        floor = f"the mean image: {floors.pop():.1f} dB" if len(floors) == 1 else None
        drawing = figures.reconstruction_grid(run.samples, scores=scores, floor=floor)
        caption = (
            "Images as they were, with their labels, as Bob rebuilt them, and as the strongest "
            "Eve did; beside them the mean PSNR over the test images."
        )
        pieces.append(_title(named, name) + _figure(drawing, f"pictures{number}", caption))
    return "".join(pieces)


def _symbols(named: Mapping[str, Run], colours: Mapping[str, str]) -> str:
    pieces = []
    for number, (name, run) in enumerate(named.items()):
        waves = {key: wave for key, wave in run.samples.items() if key.startswith("waveform/")}
        if waves:
            palette = {**figures.palette(k.removeprefix("waveform/") for k in waves), **colours}
            drawing = figures.constellation(waves, colours=palette)
            caption = (
                "The complex symbols that Alice sends. The circle has the radius of unit power."
            )
            pieces.append(_title(named, name) + _figure(drawing, f"symbols{number}", caption))
    return "".join(pieces)


def _training(named: Mapping[str, Run]) -> str:
    pieces = []
    for number, (name, run) in enumerate(named.items()):
        if run.history:
            drawing = figures.training_curves(run.history)
            caption = "Losses against the step, one panel per stage of the training."
            pieces.append(_title(named, name) + _figure(drawing, f"training{number}", caption))
    return "".join(pieces)


def _title(named: Mapping[str, Run], name: str) -> str:
    return tag("h3", text(name)) if len(named) > 1 else ""


def _runs(named: Mapping[str, Run]) -> str:
    pieces = []
    for name, run in named.items():
        if not run.about:
            continue
        facts: list[tuple[str, object]] = []
        for key in ("command", "seed", "wall_s", "versions", "hardware"):
            value = run.about.get(key)
            if isinstance(value, Mapping):
                facts += [(str(inner), content) for inner, content in value.items()]
            elif value is not None:
                facts.append((key, value))
        whole = json.dumps(run.about, indent=2, ensure_ascii=False)
        pieces += [
            _title(named, name),
            terms(facts).replace("<dl>", '<dl class="facts">', 1),
            tag("details", tag("summary", "Full configuration"), tag("pre", text(whole))),
        ]
    return "".join(pieces)


def _records(runs: list[Run], table: pd.DataFrame) -> str:
    lines = "".join(to_line(record) + "\n" for run in runs for record in run.records)
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
            href=data_uri(table.to_csv(index=False).encode(), "text/csv"),
            download="records.csv",
        ),
    )
    return tag("p", f"All {len(table)} records of this page: {links[0]} or {links[1]}.")
