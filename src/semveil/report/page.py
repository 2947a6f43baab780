"""The report: one HTML file that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from string import Template

import pandas as pd

from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.report import attack_sections, figures, sections
from semveil.report.attack_rows import attack_rows, only_attacks
from semveil.report.folder import RunFolder, read_run
from semveil.report.markup import tag, text
from semveil.report.select import frame, paired
from semveil.report.summary import rows


def write_report(path: Path, folders: Iterable[Path]) -> None:
    """Write a self-contained page on one run, or on several beside each other.

    The same folders give the same bytes. What a folder lacks besides its records is left out.

    Args:
        path: HTML file to write; its folder must exist.
        folders: Folders of runs, at least one, each with a ``records.jsonl``.

    Raises:
        SemveilError: If a folder has no records or a broken file, or the page cannot be written.
    """
    write_page(path, [read_run(folder) for folder in folders])


def write_page(path: Path, runs: list[RunFolder]) -> None:
    """Write a page on what folders hold; see :func:`write_report`."""
    if not runs:
        raise SemveilError("no run to report on: name at least one folder")
    names = _distinct([run.name for run in runs])
    parts = []
    for name, run in zip(names, runs, strict=True):
        part = frame(run.records)
        if len(runs) > 1:
            part.insert(0, "run", name)
        parts.append(part)
    table = paired(pd.concat(parts, ignore_index=True))
    colours = figures.palette(table)
    named = dict(zip(names, runs, strict=True))
    struck = attack_rows(table, attack_sections.asked(runs))
    # A folder of attacks says nothing of Eve, not even that she was not tried.
    audited = [part for part in parts if not only_attacks(part)]
    parts_of_page = [
        ("attacks", "Under attack", attack_sections.summary(struck)),
        ("attacked", "What attacks leave", attack_sections.results(struck)),
        ("psr", "Against the PSR", attack_sections.curves(table)),
        ("classes", "Class by class", attack_sections.classes(table)),
        ("attackpictures", "What Bob sees", attack_sections.pictures(named, struck)),
    ]
    if audited:
        eves = paired(pd.concat(audited, ignore_index=True))
        found = rows(eves)
        parts_of_page = [
            ("summary", "Summary", sections.summary(found)),
            ("table", "What each party gets", sections.results(found)),
            ("privacy", "Privacy and utility", sections.privacy(eves, found, colours)),
            ("snr", "Against the SNR", sections.against_snr(eves, colours)),
            (
                "dimension",
                "Against the latent dimension",
                sections.against_dimension(eves, colours),
            ),
            ("pictures", "What they see", sections.pictures(named, found)),
            *parts_of_page,
        ]
    parts_of_page += [
        ("symbols", "On the air", sections.symbols(named, colours)),
        ("training", "Training", sections.training(named)),
        ("reading", "How to read this page", sections.reading()),
        ("runs", "How it was run", sections.runs(named)),
        ("records", "Records", sections.records(runs)),
    ]
    filled = [section for section in parts_of_page if section[2]]
    links = (tag("li", tag("a", title, href=f"#{key}")) for key, title, _ in filled)
    here = resources.files(__package__)
    page = Template(here.joinpath("page.html").read_text(encoding="utf-8")).substitute(
        title=text(", ".join(names)),
        style=here.joinpath("style.css").read_text(encoding="utf-8"),
        meta=_meta(table),
        contents=tag("ul", *links),
        main="\n".join(
            tag("section", tag("h2", title), body, id=key) for key, title, body in filled
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
