"""``semveil report``: one page on several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import Quiet
from semveil.errors import SemveilError


def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs or studies.")],
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("report.html"),
    quiet: Quiet = False,
) -> None:
    """Write one page on several runs, from their records."""
    from semveil.report.page import write_report

    if not out.parent.is_dir():
        raise SemveilError(f"cannot write {out}: there is no folder {out.parent}")
    write_report(out, folders)
    if not quiet:
        print(f"Report: {out}")
