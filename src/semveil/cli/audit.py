"""``semveil audit``: eavesdroppers attack a trained run, or a model of ONNX files."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Device, OnDevice, Quiet, Seed
from semveil.cli.output import print_result
from semveil.cli.parse import budgets
from semveil.errors import SemveilError


class Equaliser(StrEnum):
    """What Bob does before his decoder."""

    mmse = "mmse"
    zero_forcing = "zero-forcing"


def audit(
    target: Annotated[
        Path, typer.Argument(help="A trained run, a link of the zoo, or an encoder .onnx.")
    ],
    decoder: Annotated[
        Path | None, typer.Option("--decoder", help="Decoder of an encoder .onnx; is attacked too.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            envvar="SEMVEIL_DATA",
            help="Folder of the data sets; for an encoder .onnx the name of its images, as digits.",
        ),
    ] = None,
    snr: Annotated[
        str | None,
        typer.Option("--snr", help="SNRs of Bob and Eve for an encoder .onnx, dB: 0,10,20."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting for an encoder .onnx."),
    ] = None,
    fixed_gain: Annotated[
        bool, typer.Option("--fixed-gain", help="Its power is one on average only.")
    ] = False,
    normalise: Annotated[
        bool, typer.Option("--normalise", help="Scale its waveform to unit power per image.")
    ] = False,
    equaliser: Annotated[
        Equaliser, typer.Option("--equaliser", help="What its Bob does before his decoder.")
    ] = Equaliser.mmse,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to make for it; runs/NAME if omitted.")
    ] = None,
    seed: Seed = None,
    device: OnDevice = Device.auto,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let eavesdroppers attack a trained run, or a model of ONNX files, and report."""
    model = target.suffix.lower() == ".onnx"
    given = decoder or snr or changes or fixed_gain or normalise or out or seed is not None
    if not model and (given or equaliser != Equaliser.mmse):
        raise SemveilError(
            "a run has its own settings: --decoder, --snr, --set, --out and the like are for an "
            "encoder .onnx"
        )
    if model and (data is None or data == os.environ.get("SEMVEIL_DATA")):
        raise SemveilError("--data: name the images of the encoder, as in --data digits")
    snr_db = budgets(snr or "0,10,20", "--snr")
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        if model:
            assert data is not None
            found = api.audit_model(
                target,
                data,
                decoder=decoder,
                snr_db=snr_db,
                changes=changes or (),
                fixed_gain=fixed_gain,
                normalise=normalise,
                equaliser=equaliser.value,
                out=out,
                seed=seed or 0,
                device=device.value,
                progress=progress,
                say=None if quiet or as_json else print,
            )
        else:
            root = None if data is None else Path(data)
            found = api.audit_run(target, device=device.value, data=root, progress=progress)
    print_result(found, quiet, as_json)
