"""``semveil harden``: adversarial training of a run's link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import (
    AsJson,
    DataRoot,
    Device,
    Devices,
    OnDevice,
    Quiet,
    RunFolder,
    Set,
)
from semveil.cli.output import print_folder


def harden(
    folder: RunFolder,
    method: Annotated[
        str, typer.Option("--with", help="A method of `semveil list adversarial-training`.")
    ] = "semmixed",
    changes: Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to make; RUN-METHOD if omitted.")
    ] = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a run's link against attacks, as a new run, for `semveil attack` and `audit`."""
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        link = api.harden(
            folder,
            method,
            changes or (),
            out=out,
            device=device.value,
            devices=devices,
            data=data,
            progress=progress,
        )
    print_folder("Trained", link, quiet, as_json)
