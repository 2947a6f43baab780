"""``semveil papers``: which paper's table or figure is measured by which command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson
from semveil.errors import SemveilError


def papers(
    name: Annotated[
        str | None, typer.Argument(help="One study, claim by claim; all if omitted.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", help="Folder of finished studies, each under its name."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show each paper's table or figure, its command, its records and what became of its claims."""
    from semveil.papers.overview import in_words, overview

    if results is not None and not results.is_dir():
        raise SemveilError(f"there is no folder {results}")
    folder = results or (Path("results") if Path("results").is_dir() else None)
    found = overview(folder, *([] if name is None else [name]))
    if as_json:
        print(json.dumps(found))
        return
    for paper in found:
        print(f"{paper['source']}, {paper['shows']}: {paper['description']}")
        print(f"  command: {paper['command']}")
        print(f"  records: {paper['records'] or 'none'}")
        print(f"  claims:  {in_words(paper['claims'])}")
        for number, claim in enumerate(paper["claims"] if name else (), start=1):
            print(f"    {number}. {claim['claim']}: {in_words([claim])}")
