"""``semveil overhear``: what the eavesdroppers of an audit make of a recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Device, OnDevice, Quiet
from semveil.cli.radio_options import FrameOptions, LinkOptions, Originals, PictureFolder


def overhear(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="RECORDING", help="A SigMF recording; - for samples from the standard input."
        ),
    ],
    of: LinkOptions,
    frames: FrameOptions,
    original: Originals = None,
    out: PictureFolder = None,
    device: OnDevice = Device.auto,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let the strongest eavesdroppers of an audited run listen to a recording."""
    from semveil import api
    from semveil.cli.receive import print_listening

    heard = api.overhear(
        recording,
        of.link,
        system=of.system,
        originals=original or (),
        out=out,
        settings=frames.settings(),
        datatype=frames.datatype,
        device=device.value,
    )
    if as_json:
        print(json.dumps([each.plain() for each in heard]))
    elif not quiet:
        for each in heard:
            print_listening(each)
