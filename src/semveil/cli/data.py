"""``semveil data`` and ``semveil data fetch``: the data sets."""

from __future__ import annotations

from typing import Annotated

import typer

from semveil.cli.options import DataRoot, Quiet
from semveil.errors import resumed_by

data_app = typer.Typer(help="Show the data sets, or download one.", invoke_without_command=True)


@data_app.callback()
def data_status(context: typer.Context, data: DataRoot = None) -> None:
    """Show the data sets and where they were found."""
    if context.invoked_subcommand:
        return
    from semveil import data as sets

    width = max(map(len, sets.names()))
    for entry in sets.status(data):
        found = entry.problem or (str(entry.where) if entry.where else "in the package")
        print(f"{entry.name:{width}} {entry.about}\n{'':{width}} {found}")
    print(f"{'folder:PATH':{width}} {sets.names()['folder:PATH']}")


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="mnist or cifar10.")],
    data: DataRoot = None,
    quiet: Quiet = False,
) -> None:
    """Download a data set from its publisher, verified, resuming what was begun."""
    from semveil.data.fetch import fetch
    from semveil.progress import bars

    where = [] if data is None else ["--data", str(data)]
    with resumed_by("data", "fetch", name, *where), bars(quiet) as progress:
        found = fetch(name, data, progress=lambda file, done, total: progress(file, done, total))
    if not quiet:
        print(f"{name}: {found}")
