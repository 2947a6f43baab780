"""``semveil jam``: an attack is added to the frames of a recording."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from semveil.cli.options import AsJson, DataRoot, Device, OnDevice, Quiet, Set
from semveil.cli.radio_options import LinkOptions, NewRecording, RecordingPath


def jam(
    recording: RecordingPath,
    of: LinkOptions,
    out: NewRecording,
    attack: Annotated[
        str, typer.Option("--attack", help="An attack of `semveil list attacks`.")
    ] = "jamming",
    psr: Annotated[
        float, typer.Option("--psr", help="Energy over that of the frame's data blocks, dB.")
    ] = -10.0,
    synchronised: Annotated[
        bool,
        typer.Option(
            "--synchronised/--unsynchronised",
            help="Whether it arrives with the frame's timing, phase and carrier.",
        ),
    ] = True,
    changes: Set = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of every random number.")] = 0,
    device: OnDevice = Device.auto,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit an attack on a link, and add it to that link's frames in a recording."""
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        made, frames = api.jam(
            recording,
            of.link,
            out,
            attack,
            psr,
            system=of.system,
            synchronised=synchronised,
            changes=changes or (),
            seed=seed,
            device=device.value,
            data=data,
            progress=progress,
        )
    if as_json:
        print(json.dumps({"recording": str(made), "frames": frames}))
    elif not quiet:
        print(f"{attack} at a PSR of {psr:g} dB on {frames} frames: {made}.sigmf-data")
