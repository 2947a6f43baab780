"""``semveil export``: a trained link as ONNX graphs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson, DataRoot, Quiet
from semveil.cli.radio_options import OfSystem


def export(
    link: Annotated[
        str, typer.Argument(help="Folder of a trained run, or an entry of `semveil zoo list`.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to make.")],
    system: OfSystem = None,
    int8: Annotated[
        bool, typer.Option("--int8/--no-int8", help="Whether to write graphs in eight bits too.")
    ] = True,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write both ends of a trained link as ONNX graphs, with a card and a numpy reference."""
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        found = api.export(link, out, system=system, int8=int8, data=data, progress=progress)
    if as_json:
        print(json.dumps({"folder": str(found.folder), "card": found.card}))
    elif not quiet:
        for name, file in found.card["files"].items():
            difference = max(file["max_abs_difference"].values())
            print(
                f"{name}: {file['bytes']:,} bytes, differs from torch by at most {difference:.2g}"
            )
        print(f"Exported: {found.folder}")
