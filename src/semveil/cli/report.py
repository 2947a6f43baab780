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
    snr_db: Annotated[
        float | None,
        typer.Option("--snr-db", help="Compare all systems at this SNR of Bob and Eve, dB."),
    ] = None,
    bandwidth_ratio: Annotated[
        float | None,
        typer.Option(
            "--bandwidth-ratio",
            help="Compare all systems at this bandwidth ratio, or the nearest that each has.",
            min=1e-9,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write one page on several runs, from their records."""
    from semveil.report.page import write_report

    if not out.parent.is_dir():
        raise SemveilError(f"cannot write {out}: there is no folder {out.parent}")
    write_report(out, folders, snr_db, bandwidth_ratio)
    if not quiet:
        print(f"Report: {out}")
