"""``semveil adapt``: public weights of another system as ONNX graphs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import Quiet


def adapt(
    weights: Annotated[
        Path, typer.Argument(help="State dict of a five-layer DeepJSCC, in safetensors.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to make.")],
    image_size: Annotated[
        int, typer.Option("--image-size", help="Height and width of its images, pixels.")
    ] = 32,
    quiet: Quiet = False,
) -> None:
    """Write public weights of a five-layer DeepJSCC as ONNX graphs, for `semveil audit`."""
    from semveil.graphs.adapter import DEVIATIONS
    from semveil.graphs.adapter import adapt as write

    folder = write(weights, out, image_size=image_size)
    if not quiet:
        for each in DEVIATIONS:
            print(f"- {each}")
        print(f"Adapted: {folder}")
