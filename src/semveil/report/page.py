"""The report: one HTML file that needs nothing but itself. Its words are in the template."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.flags import Admission, admissions
from semveil.metrics import MAIN, Metric, metric_of
from semveil.records import Estimate, to_line
from semveil.report import figures
from semveil.report.attack_rows import (
    AIMED,
    REJECTED,
    UNDETECTED,
    AttackRow,
    attack_rows,
    attack_tables,
    by_system,
    merged,
    only_attacks,
    panels_of,
)
from semveil.report.comparison import Comparison, compare, groups, record_seeds, run_names
from semveil.report.folder import RunFolder, read_run
from semveil.report.looks import PARTIES
from semveil.report.sanity_checks import RULES as ATTACK_RULES
from semveil.report.sanity_checks import strength, violations
from semveil.report.select import SETTING, frame, paired, present, titles, varying
from semveil.report.summary import (
    LIMITS,
    RULES,
    TONES,
    Row,
    Verdict,
    by_snr,
    rows,
    shown_metrics,
    summary,
)
from semveil.report.table import heading, interval, number, signed, with_interval
from semveil.style import drawn_as

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FACTS = ("command", "study", "budget", "seed", "wall_s", "version", "versions", "hardware")


@dataclass(frozen=True)
class Drawing:
    """A figure of the page, what it is of, and whether it is folded away."""

    key: str
    svg: Markup
    title: str = ""
    metric: Metric | None = None
    folded: bool = False

    @classmethod
    def of(cls, figure: Figure, key: str, *about: Any) -> Drawing:
        """Return a figure as a part of the page; the rest are the other attributes."""
        return cls(key, Markup(figures.inline(figure, name=key)), *about)


def write_report(
    path: Path,
    folders: Iterable[Path],
    snr_db: float | None = None,
    bandwidth_ratio: float | None = None,
) -> None:
    """Write a self-contained page on one run, or on several beside each other.

    The same folders give the same bytes. What a folder lacks besides its records is left out. Runs
    that differ in nothing but the seed are one row of each table.

    Args:
        path: HTML file to write; its folder must exist.
        folders: Folders of runs, at least one, each with a ``records.jsonl``.
        snr_db: Begin with all systems at this SNR, dB, on shared axes.
        bandwidth_ratio: The same at this bandwidth ratio, by default the first run's.

    Raises:
        SemveilError: If a folder has no records or a broken file, the page cannot be written, or
            nothing was measured at the SNR.
    """
    runs = [read_run(folder) for folder in folders]
    wanted = snr_db is not None or bandwidth_ratio is not None
    write_page(path, runs, compare(runs, snr_db, bandwidth_ratio) if wanted and runs else None)


def require_html(path: str | Path) -> None:
    """Refuse a name that is not one of an HTML page."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise SemveilError(f"{path}: the report is an HTML page; name a file ….html")


def write_page(path: Path, runs: list[RunFolder], compared: Comparison | None = None) -> None:
    """Write a page on what folders hold, and on a comparison; see :func:`write_report`."""
    if not runs:
        raise SemveilError("no run to report on: name at least one folder")
    with drawn_as(run.about for run in runs):
        # A folder's name may have bytes that are no text.
        write_atomic(path, _page(runs, compared).encode(errors="replace"))


def environment() -> Environment:
    """Return the templates of all pages."""
    return Environment(
        loader=PackageLoader("semveil.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )


def _page(runs: list[RunFolder], compared: Comparison | None) -> str:
    names, merged_names = run_names(runs), groups(runs)
    parts = [frame(run.records) for run in runs]
    if len(set(merged_names)) > 1:
        parts = [part.assign(run=name) for name, part in zip(merged_names, parts, strict=True)]
    table = paired(pd.concat(parts, ignore_index=True))
    named = dict(zip(names, runs, strict=True))
    of = dict(zip(names, merged_names, strict=True))
    # A folder of attacks says nothing of Eve, not even that she was not tried.
    audited = [part for part in parts if not only_attacks(part)]
    every = [record for run in runs for record in run.records]
    admitted = [(n, found) for n, r in named.items() if (found := admissions(r.records))]
    templates = environment()
    templates.globals |= {
        "number": number,
        "interval": interval,
        "signed": signed,
        "rate": lambda found: with_interval(found, metric_of(MAIN["label"])),
        "main": lambda row: metric_of(MAIN["label" if row.classifies else "image"]),
        "with_interval": with_interval,
        "AIMED": AIMED,
        "LIMITS": LIMITS,
        "MAIN": {target: metric_of(name) for target, name in MAIN.items()},
        "PARTIES": PARTIES,
        "RULES": RULES,
        "TONES": TONES,
        "Verdict": Verdict,
    }
    named_systems = titles(table)
    templates.filters["titled"] = lambda system: named_systems.get(system, system)
    templates.filters["invoke"] = lambda row, name, *words: getattr(row, name)(*words)
    return templates.get_template("page.html.j2").render(
        title=", ".join(names),
        table=table,
        # Of a result that a folder never held, nothing is known but its classes.
        runs=[(n, *_facts(run.about)) for n, run in named.items() if run.about.keys() - {"images"}],
        several=len(runs) > 1,
        count=len(every),
        admitted=admitted,
        cautions=_cautions(each for _, found in admitted for each in found),
        json=_data_uri("".join(to_line(record) + "\n" for record in every), "application/jsonl"),
        csv=_data_uri(frame(every).to_csv(index=False), "text/csv"),
        **_compared(compared),
        **_eves(named, of, paired(pd.concat(audited, ignore_index=True)) if audited else None),
        **_attacks(named, of, table),
        symbols=_per_run(named, "symbols", lambda _, run: _symbols(run, table)),
        training=_per_run(named, "training", _training),
    )


def _facts(about: Mapping[str, Any]) -> tuple[list[tuple[str, object]], str]:
    """What a run was made with, and its whole configuration."""
    facts: list[tuple[str, object]] = []
    for key in FACTS:
        value = about.get(key)
        if isinstance(value, Mapping):
            facts += value.items()
        elif value is not None:
            facts.append((key.replace("wall_s", "wall time (s)"), value))
    return facts, json.dumps(about, indent=2, ensure_ascii=False)


def _cautions(admitted: Iterable[Admission]) -> dict[str, list[str]]:
    """Return what flags say that weigh more than a note, and the systems of which they do."""
    found: dict[str, list[str]] = {}
    for one in admitted:
        for flag in one.raised:
            if flag.severity != "note" and one.system not in found.setdefault(flag.says, []):
                found[flag.says].append(one.system)
    return found


def _data_uri(content: str, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.encode()).decode()}"


def _per_run(
    named: Mapping[str, RunFolder],
    key: str,
    draw: Callable[[str, RunFolder], Iterable[Figure]],
) -> list[Drawing]:
    """Return the figures of each run, under its name where there are several."""
    return [
        Drawing.of(figure, f"{key}{at}x{place}", name if len(named) > 1 else "")
        for at, (name, run) in enumerate(named.items())
        for place, figure in enumerate(draw(name, run))
    ]


def _symbols(run: RunFolder, table: pd.DataFrame) -> Iterator[Figure]:
    if any(key.startswith("waveform/") for key in run.samples):
        yield figures.constellation(
            run.samples, colours=figures.palette(table), titles=titles(table)
        )


def _training(_: str, run: RunFolder) -> Iterator[Figure]:
    if run.history:
        yield figures.training_curves(run.history)


def _compared(found: Comparison | None) -> dict[str, Any]:
    """Return the section on systems of several runs at one SNR."""
    if found is None:
        return {"compared": None, "comparison": (), "comparedimages": ()}
    drawings = [
        Drawing.of(found.plot(name), f"comparison{name}", "", metric_of(name))
        for name in MAIN.values()
        if not figures.parties(found.table, name).empty
    ]
    if any(each.row.comparable for each in found.systems):
        drawings.insert(0, Drawing.of(found.plot_accuracies(), "comparisonutility"))
    images = found.plot_images()
    return {
        "compared": found,
        "comparison": drawings,
        "comparedimages": [] if images is None else [Drawing.of(images, "comparisonimages")],
    }


def _eves(
    named: Mapping[str, RunFolder], of: Mapping[str, str], table: pd.DataFrame | None
) -> dict[str, Any]:
    """Return the sections on Bob and the Eves; none for a folder of attacks."""
    if table is None:
        keys = ["found", "systems", "tested", "summary", "by_snr"]
        keys += ["privacy", "snr", "dimension", "pictures"]
        return dict.fromkeys(keys, ())
    found, colours = rows(table), figures.palette(table)
    main = [row for row in found if not row.control] or found
    privacy = []
    if any(row.comparable for row in found):
        figure = figures.privacy_utility(table, colours=colours)
        privacy.append(Drawing.of(figure, "privacyutility"))
    return {
        "found": main,
        "tested": max(
            (each.n for row in main for (party, _), each in row.figures.items() if party == "bob"),
            default=None,
        ),
        "systems": [
            (name, _titled([row for row in main if row.name == name]))
            for name in dict.fromkeys(row.name for row in main)
        ],
        "summary": summary(found),
        "by_snr": by_snr(found),
        "privacy": privacy,
        "snr": list(_against_snr(table, colours)),
        "dimension": list(_against_dimension(table, colours)),
        "pictures": _per_run(named, "pictures", lambda name, run: _pictures(of[name], run, found)),
    }


def _titled(group: Sequence[Row]) -> list[tuple[str, Row]]:
    """Return rows of one system, each with what tells its setting from the others'."""
    conditions = [row.condition for row in group]
    keys = [key for key in conditions[0] if len({str(one[key]) for one in conditions}) > 1]
    return [(heading((key, row.condition[key]) for key in keys), row) for row in group]


def _against_snr(table: pd.DataFrame, colours: Mapping[str, str]) -> Iterator[Drawing]:
    """One figure per condition and metric, folded but for the main metrics of the first."""
    keys = [*present(table, SETTING), "latent_dim", "train_snr_db"]
    measured = table[table["role"].isin(["bob", "eve"])]
    for at, (values, group) in enumerate(measured.groupby(keys, dropna=False, sort=False)):
        context = dict(zip(keys, values, strict=True))
        title = heading((key, context[key]) for key in varying(table, keys))
        part = pd.concat([group, table[table["role"] == "system"]])
        for name in shown_metrics(group):
            main = name in MAIN.values()
            if figures.parties(part, name)["test_snr_db"].nunique() > 1 and (main or not at):
                figure = figures.against_snr(part, name, colours=colours)
                about = (title, metric_of(name), bool(at or not main))
                yield Drawing.of(figure, f"snr{at}{name}", *about)


def _against_dimension(table: pd.DataFrame, colours: Mapping[str, str]) -> Iterator[Drawing]:
    for name in shown_metrics(table):
        if figures.parties(table, name)["latent_dim"].nunique() > 1:
            figure = figures.against_dimension(table, name, colours=colours)
            about = ("", metric_of(name), name not in MAIN.values())
            yield Drawing.of(figure, f"dimension{name}", *about)


def _pictures(name: str, run: RunFolder, found: Sequence[Row]) -> Iterator[Figure]:
    """The images of a run, beside the mean of their main metric."""
    if not len(run.samples.get("originals", ())) or figures.attacked(run.samples):
        return
    mine = [row for row in found if row.condition.get("run", name) == name]
    often = Counter(row.system for row in mine)
    # Nothing says which of a system's several settings the images are from.
    scores = {
        f"{party}/{row.system}": _score(row.at(key, MAIN["image"]))
        for row in mine
        if often[row.system] == 1
        for party, key in (("bob", "bob"), ("eve", "adaptive"))
    }
    titles = {row.system: row.title for row in mine}
    yield figures.reconstruction_grid(_with_class_names(run), scores=scores, titles=titles)


def _with_class_names(run: RunFolder) -> dict[str, Any]:
    """Return the samples of a run, the labels of its images in words where the run knows them."""
    names = _class_names(run)
    labels = run.samples.get("labels", ())
    found = dict(run.samples)
    if len(labels) and max(labels) < len(names):
        found["labels"] = np.array([figures.shortened(names[label]) for label in labels])
    return found


def _score(estimate: Estimate | None) -> str:
    metric = metric_of(MAIN["image"])
    return "" if estimate is None else f"{estimate.value:.1f} {metric.unit}"


def _attacks(
    named: Mapping[str, RunFolder], of: Mapping[str, str], table: pd.DataFrame
) -> dict[str, Any]:
    """Return the sections on Bob under attack."""
    asked = [
        name
        for run in named.values()
        if "attacked" in run.about
        for name in run.about.get("recipe", {}).get("attack", {}).get("names", [])
    ]
    found = attack_rows(table, asked)
    pooled = [row for row in attack_rows(merged(table)) if not row.rows.empty]
    return {
        "attacks": [_strongest(group) for group in by_system(found)],
        "warnings": violations(found),
        "attack_rules": ATTACK_RULES,
        "attacked": attack_tables(found),
        "psr": list(_against_psr(pooled)) if found else (),
        "classes": list(_by_class(pooled, _shared_class_names(named.values()))),
        "attackpictures": _per_run(
            named, "attacked", lambda name, run: _images_under_attack(of[name], run, found)
        ),
    }


def _strongest(group: Sequence[AttackRow]) -> tuple[AttackRow, float, list[AttackRow]]:
    """Return a system without an attack, the highest budget, the strongest attack and noise."""
    attacked = [row for row in group if row.budgets]
    top = max(row.budgets[-1] for row in attacked)
    others = [(hit.value, row) for row in attacked if (hit := strength(row, top))]
    strongest = max(others, key=lambda item: item[0])[1] if others else attacked[0]
    noise = [row for row in attacked if row.has("baseline") and row is not strongest]
    return group[0], top, [strongest, *noise]


def _against_psr(found: Sequence[AttackRow]) -> Iterator[Drawing]:
    panels = panels_of(found)
    measured = {metric for row in found if row.budgets for metric in row.table["metric"]}
    if labelled := [row for row in found if row.classifies]:
        figure = figures.against_psr(panels_of(labelled))
        yield Drawing.of(figure, "psrlabel", "", metric_of(MAIN["label"]))
    targeted, others, misled = AIMED
    if any(row.aim and targeted in set(row.table["metric"]) for row in found):
        figure = figures.against_psr(panels, targeted, beside=others)
        yield Drawing.of(figure, "psraimed", "", metric_of(targeted))
    further = {
        "psrmisled": misled,
        "psrrejected": REJECTED,
        "psrundetected": UNDETECTED,
        "psrimage": MAIN["image"],
    }
    for key, name in further.items():
        if name in measured:
            figure = figures.against_psr(panels, name)
            yield Drawing.of(figure, key, "", metric_of(name))


def _shared_class_names(runs: Iterable[RunFolder]) -> tuple[str, ...]:
    """Return the names of the classes where all runs state the same."""
    stated = {_class_names(run) for run in runs}
    return stated.pop() if len(stated) == 1 else ()


def _class_names(run: RunFolder) -> tuple[str, ...]:
    images = run.about.get("images")
    return tuple(images["classes"]) if isinstance(images, Mapping) else ()


def _by_class(found: Sequence[AttackRow], class_names: Sequence[str]) -> Iterator[Drawing]:
    for name in MAIN.values():
        if any(row.by_class(name, row.budgets[-1]) for row in found if row.budgets):
            figure = figures.by_class(panels_of(found), name, class_names=class_names)
            yield Drawing.of(figure, f"class{name}", "", metric_of(name))


def _images_under_attack(name: str, run: RunFolder, found: Sequence[AttackRow]) -> Iterator[Figure]:
    for system in figures.attacked(run.samples) if "originals" in run.samples else ():
        mine = [
            row
            for row in found
            if dict(row.condition).get("run", name) == name
            and row.system == system
            and dict(row.condition)["seed"] in record_seeds(run)
        ]
        scores = {
            row.attack: _score(row.at(MAIN["image"], max(row.budgets, default=None)))
            for row in mine
        }
        yield figures.attack_grid(run.samples, system, scores=scores)
