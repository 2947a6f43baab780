"""``semveil leaderboard``: links, defences and attacks that others enter, checked and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import DataRoot, Quiet

leaderboard_app = typer.Typer(
    help="The leaderboard: check an entry, score it, make one of a trained link, build the pages.",
    no_args_is_help=True,
)

EntryFolder = Annotated[
    Path, typer.Argument(metavar="ENTRY", help="Folder of an entry, such as leaderboard/NAME.")
]


@leaderboard_app.command("check")
def check_entry(entry: EntryFolder, data: DataRoot = None, quiet: Quiet = False) -> None:
    """Check licence, digests, power, batch dependence, conventions, and figures on 100 images."""
    from semveil.leaderboard.check import check
    from semveil.progress import bars

    with bars(quiet) as progress:
        found = check(entry, data=data, progress=progress)
    if not quiet:
        print("\n".join([f"{found.entry.name}: accepted", *(f"  {line}" for line in found.lines)]))


@leaderboard_app.command("score")
def score_entry(entry: EntryFolder, data: DataRoot = None, quiet: Quiet = False) -> None:
    """Score an entry by the standard suite on all test images; older figures are kept."""
    from semveil.leaderboard.score import score
    from semveil.progress import bars

    with bars(quiet) as progress:
        found = score(entry, data=data, progress=progress)
    assert found.score is not None
    if not quiet:
        facts = found.score.facts
        print(f"{found.name}: suite {facts.suite}, {len(found.score.records)} records")


@leaderboard_app.command("add")
def add_entry(
    source: Annotated[str, typer.Argument(help="Name of a zoo entry, or folder of one.")],
    board: Annotated[Path, typer.Option("--board", help="Folder of the entries.")] = Path(
        "leaderboard"
    ),
    authors: Annotated[
        list[str] | None, typer.Option("--author", help="Who made it; may be repeated.")
    ] = None,
    licence: Annotated[
        str, typer.Option("--licence", help="Licence of the weights, as SPDX names it.")
    ] = "Apache-2.0",
    quiet: Quiet = False,
) -> None:
    """Make an entry of a trained link of the zoo."""
    from semveil.leaderboard.add import OURS, add

    found = add(source, board=board, authors=authors or [OURS], licence=licence)
    if not quiet:
        print(f"{found.name}: {found.folder}")


@leaderboard_app.command("build")
def build_pages(
    board: Annotated[Path, typer.Argument(help="Folder of the entries.")] = Path("leaderboard"),
    out: Annotated[Path, typer.Option("--out", help="Folder of the pages.")] = Path(
        "build/leaderboard"
    ),
    quiet: Quiet = False,
) -> None:
    """Write the pages: one of all entries, and one of each; they need nothing but themselves."""
    from semveil.leaderboard.page import build

    page = build(board, out)
    if not quiet:
        print(page)
