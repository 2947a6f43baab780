"""``semveil overhear``: what the eavesdroppers of an audit make of a recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Device, OnDevice, Quiet
from semveil.cli.radio_options import (
    Carrier,
    Datatype,
    OfLink,
    OfSystem,
    Originals,
    Oversampling,
    PictureFolder,
    Rate,
    given,
)


def overhear(
    recording: Annotated[
        Path,
        typer.Argument(
            metavar="RECORDING", help="A SigMF recording; - for samples from the standard input."
        ),
    ],
    link: OfLink,
    system: OfSystem = None,
    original: Originals = None,
    out: PictureFolder = None,
    rate: Rate = None,
    carrier: Carrier = None,
    oversampling: Oversampling = None,
    datatype: Datatype = "cf32_le",
    device: OnDevice = Device.auto,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let the strongest eavesdroppers of an audited run listen to a recording."""
    from semveil import api
    from semveil.cli.receive import print_listening

    heard = api.overhear(
        recording,
        link,
        system=system,
        originals=original or (),
        out=out,
        settings=given(sample_rate=rate, carrier=carrier, oversampling=oversampling),
        datatype=datatype,
        device=device.value,
    )
    if as_json:
        print(json.dumps([each.plain() for each in heard]))
    elif not quiet:
        for each in heard:
            print_listening(each)
