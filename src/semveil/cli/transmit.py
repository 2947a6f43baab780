"""``semveil transmit``: images as a recording that a radio can send."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Quiet
from semveil.cli.radio_options import FrameOptions, KeyFile, LinkOptions, RadioOptions


def transmit(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    of: LinkOptions,
    frames: FrameOptions,
    device: RadioOptions,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Recording to make; - for the standard output; not needed with a radio."
        ),
    ] = None,
    key: KeyFile = None,
    level: Annotated[
        float | None,
        typer.Option("--level", help="Root mean square of a frame over full scale; 0.25."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of Alice's randomness.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Turn images into frames of a trained link: a SigMF recording, or a radio's transmission."""
    chosen = device.chosen()
    from semveil import api

    sent = api.transmit(
        images,
        of.link,
        out,
        system=of.system,
        key=key,
        settings=frames.settings(level=level),
        datatype=frames.datatype,
        seed=seed,
        **chosen,
    )
    # The standard output may be that of the samples.
    told = sys.stderr if out == Path("-") else sys.stdout
    if as_json:
        print(json.dumps(vars(sent), default=str), file=told)
    elif not quiet:
        where = f"{sent.recording}.sigmf-data"
        if sent.recording is None:
            where = "standard output" if out == Path("-") else f"radio {chosen['radio']}"
        print(
            f"{sent.system}: {sent.frames} frames, {sent.samples:,} samples at "
            f"{sent.sample_rate_hz:g} per second: {where}",
            file=told,
        )
        if sent.key is not None:
            first, last = sent.counters
            print(f"Key: {sent.key}; message counters {first} to {last}", file=told)
