"""``semveil zoo``: trained links that come with the package, or can be fetched."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from semveil.cli.options import AsJson, DataRoot, Quiet
from semveil.errors import SemveilError, resumed_by, shown

zoo_app = typer.Typer(
    help="Trained links: list them, show, verify or fetch one, or make one.",
    invoke_without_command=True,
)

EntryName = Annotated[str, typer.Argument(help="An entry of `semveil zoo list`.")]


class Weights(StrEnum):
    """How weights are stored."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


@zoo_app.callback()
def zoo(context: typer.Context) -> None:
    """List the entries if no command is named."""
    if not context.invoked_subcommand:
        list_entries()


@zoo_app.command("list")
def list_entries(as_json: AsJson = False) -> None:
    """List the trained links that are here or can be fetched."""
    from semveil.zoo.overview import overview

    found = overview()
    if as_json:
        print(json.dumps(found))
        return
    if not found:
        print("no trained links")
    width = max(map(len, found), default=0)
    for name, about in found.items():
        print(f"{name:{width}}  {about['summary']} [{about['place']}]")


@zoo_app.command("show")
def show_entry(name: EntryName, as_json: AsJson = False) -> None:
    """Show the card of an entry, or its configuration as JSON; its files are checked."""
    from semveil.zoo.entry import CARD, read_entry
    from semveil.zoo.places import CONFIG, find

    folder = read_entry(find(name), name).folder
    if as_json:
        print(json.dumps(json.loads((folder / CONFIG).read_text(encoding="utf-8"))))
    else:
        print((folder / CARD).read_text(encoding="utf-8"), end="")


@zoo_app.command("verify")
def verify_entries(
    names: Annotated[list[str] | None, typer.Argument(help="Entries.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All entries that are here.")] = False,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure figures of cards again, on their first 500 test images.

    The exit status is 1 if one disagrees, and 2 if an entry is damaged.
    """
    if bool(names) == everything:
        raise SemveilError("name entries to verify, or --all")
    from semveil.progress import bars
    from semveil.zoo.verify import verify

    found = []
    with bars(quiet or as_json) as progress:
        for each in verify(names or None, data=data, progress=progress):
            found.append(each)
            # At once: an interruption must not lose what was measured.
            if each.problem:
                print(f"semveil: {shown(each.problem, most=1000)}", file=sys.stderr)
            elif not as_json and not (quiet and each.agrees is not False):
                print(f"{each.name}: {_outcome(each)}", flush=True)
    if as_json:
        print(json.dumps([_plain(each) for each in found]))
    if any(each.problem for each in found):
        raise typer.Exit(2)
    if any(each.agrees is False for each in found):
        raise typer.Exit(1)


def _outcome(each: Any) -> str:
    if each.skipped:
        return f"files as stated; no figure was measured: {each.skipped}"
    figures = "; ".join(map(str, each.figures))
    return figures if each.agrees else f"disagrees with its card: {figures}"


def _plain(each: Any) -> dict[str, Any]:
    figures = [
        {"metric": figure.check.metric, "value": figure.value, "agrees": figure.agrees}
        | {"stated": figure.check.value, "tolerance": figure.check.tolerance}
        for figure in each.figures
    ]
    return {
        "name": each.name,
        "problem": each.problem,
        "skipped": each.skipped,
        "agrees": each.agrees,
        "figures": figures,
    }


@zoo_app.command("fetch")
def fetch_entry(
    name: EntryName,
    address: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="Address; SEMVEIL_ZOO_URL if omitted."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Download an entry into the user's cache, verified, resuming what was begun."""
    from semveil.progress import bars
    from semveil.zoo.fetch import fetch

    source = [] if address is None else ["--from", address]
    with resumed_by("zoo", "fetch", name, *source), bars(quiet) as progress:
        where = fetch(name, address, progress)
    if not quiet:
        print(f"{name}: {where}")


@zoo_app.command("pack")
def pack_entry(
    folder: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    name: Annotated[str, typer.Argument(help="Name of the entry: SET/NAME.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of entries; the checkout's or SEMVEIL_ZOO if omitted."),
    ] = None,
    weights: Annotated[
        Weights,
        typer.Option(
            "--weights", help="How weights are stored; auto: smaller if it costs nothing."
        ),
    ] = Weights.auto,
    simulated_eve: Annotated[
        bool,
        typer.Option("--eve/--no-eve", help="Whether the simulated Eve of the training is kept."),
    ] = True,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace an entry, as its next version.")
    ] = False,
    data: DataRoot = None,
    quiet: Quiet = False,
) -> None:
    """Make an entry of the scheme of a trained run."""
    from semveil.zoo.pack import pack

    where = pack(
        folder,
        name,
        out=out,
        weights=weights.value,
        simulated_eve=simulated_eve,
        replace=replace,
        data=data,
    )
    if not quiet:
        print(f"{name}: {where}")
