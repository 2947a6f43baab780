"""What commands print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer


def print_folder(title: str, folder: Path, quiet: bool, as_json: bool) -> None:
    """Print which folder a command filled."""
    if as_json:
        typer.echo(json.dumps({"folder": str(folder)}))
    elif not quiet:
        typer.echo(f"{title}: {folder}")


def print_records(folder: Path, quiet: bool, as_json: bool, page: Path | None = None) -> None:
    """Print the table of a folder's records, or the records themselves as JSON."""
    from rich.console import Console

    from semveil.records import read_records, to_line
    from semveil.report.attack_rows import only_attacks
    from semveil.report.attacks import attack_table
    from semveil.report.select import frame
    from semveil.report.table import summary_table

    records = read_records(folder / "records.jsonl")
    if as_json:
        shown: dict[str, Any] = {
            "folder": str(folder),
            "report": str(page) if page else None,
            "records": [json.loads(to_line(record)) for record in records],
        }
        typer.echo(json.dumps(shown))
    elif not quiet:
        console = Console()
        if not console.is_terminal:
            # A pipe has no width; the table needs this much.
            console = Console(width=100)
        attacks = only_attacks(frame(records))
        console.print(attack_table(records) if attacks else summary_table(records))
        if page:
            console.print(f"Report: {page}", soft_wrap=True)
