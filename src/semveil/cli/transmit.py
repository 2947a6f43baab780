"""``semveil transmit``: images as a recording that a radio can send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Quiet
from semveil.cli.radio_options import (
    Carrier,
    Datatype,
    DeviceOrRadio,
    Frequency,
    Gain,
    KeyFile,
    OfLink,
    OfSystem,
    Oversampling,
    Rate,
    given,
    split_device,
)


def transmit(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    link: OfLink,
    out: Annotated[
        Path | None, typer.Option("--out", help="Recording to make; not needed with a radio.")
    ] = None,
    system: OfSystem = None,
    key: KeyFile = None,
    rate: Rate = None,
    carrier: Carrier = None,
    oversampling: Oversampling = None,
    level: Annotated[
        float | None,
        typer.Option("--level", help="Root mean square of a frame over full scale; 0.25."),
    ] = None,
    datatype: Datatype = "cf32_le",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of Alice's randomness.")] = 0,
    device: DeviceOrRadio = "auto",
    frequency: Frequency = None,
    gain: Gain = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Turn images into frames of a trained link: a SigMF recording, or a radio's transmission."""
    compute, radio = split_device(device)
    from semveil import api

    sent = api.transmit(
        images,
        link,
        out,
        system=system,
        key=key,
        settings=given(sample_rate=rate, carrier=carrier, oversampling=oversampling, level=level),
        datatype=datatype,
        seed=seed,
        radio=radio,
        frequency_hz=frequency,
        gain_db=gain,
        device=compute,
    )
    if as_json:
        print(json.dumps(vars(sent), default=str))
    elif not quiet:
        where = f"radio {radio}" if sent.recording is None else f"{sent.recording}.sigmf-data"
        print(
            f"{sent.system}: {sent.frames} frames, {sent.samples:,} samples at "
            f"{sent.sample_rate_hz:g} per second: {where}"
        )
        if sent.key is not None:
            first, last = sent.counters
            print(f"Key: {sent.key}; message counters {first} to {last}")
