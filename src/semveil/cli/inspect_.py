"""``semveil inspect``: a page on a recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Device, OnDevice, Quiet
from semveil.cli.radio_options import OfSystem, RecordingPath


def inspect(
    recording: RecordingPath,
    out: Annotated[
        Path | None, typer.Option("--out", help="Page to write; RECORDING.html if omitted.")
    ] = None,
    link: Annotated[
        str | None,
        typer.Option("--link", help="Whose frames they are: a run's folder or a link of the zoo."),
    ] = None,
    system: OfSystem = None,
    device: OnDevice = Device.auto,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a page on a recording: spectrum, power, frames and equalised symbols."""
    from semveil import api

    page = api.inspect_recording(recording, out, link, system=system, device=device.value)
    if as_json:
        print(json.dumps({"page": str(page)}))
    elif not quiet:
        print(f"Page: {page}")
