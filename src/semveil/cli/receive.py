"""``semveil receive``: the frames of a recording, and what Bob makes of them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semveil.cli.options import AsJson, Quiet
from semveil.cli.output import console
from semveil.cli.radio_options import (
    FrameOptions,
    KeyFile,
    LinkOptions,
    Originals,
    PictureFolder,
    RadioOptions,
)

if TYPE_CHECKING:
    from semveil.air.listen import Listening


def receive(
    of: LinkOptions,
    frames: FrameOptions,
    device: RadioOptions,
    recording: Annotated[
        Path | None,
        typer.Argument(
            metavar="RECORDING",
            help="A SigMF recording; - for samples from the standard input; none with a radio.",
        ),
    ] = None,
    key: KeyFile = None,
    original: Originals = None,
    out: PictureFolder = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0, help="How long to listen to a radio.")
    ] = 1.0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Find the frames of a recording, synchronise, and decode them to answers and pictures."""
    chosen = device.chosen()
    from semveil import api

    found = api.receive(
        recording,
        of.link,
        system=of.system,
        key=key,
        originals=original or (),
        out=out,
        settings=frames.settings(),
        datatype=frames.datatype,
        seconds=seconds,
        **chosen,
    )
    if as_json:
        print(json.dumps(found.plain()))
    elif not quiet:
        print_listening(found)


def print_listening(found: Listening) -> None:
    """Print one row per frame, and where the pictures are."""
    console().print(_table(found))
    decoded, frames = len(found.decoded), len(found.frames)
    print(f"{decoded} of {frames} frames decoded")
    if found.folder is not None:
        print(f"Pictures: {found.folder}")


def _table(found: Listening) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=f"{found.party}, {found.system}", title_justify="left")
    for title in ("sample", "counter", "sync", "CFO (Hz)", "SRO (ppm)", "EVM (%)", "SNR (dB)"):
        table.add_column(title, justify="right")
    answers = any(frame.answer is not None for frame in found.frames)
    pictures = any(frame.psnr_db is not None for frame in found.frames)
    if answers:
        table.add_column("class")
    if pictures:
        table.add_column("PSNR (dB)", justify="right")
    table.add_column("", overflow="fold")
    for frame in found.frames:
        cells = [
            str(frame.start),
            "" if frame.counter is None else str(frame.counter),
            f"{frame.sync_metric:.2f}",
            *map(_short, (frame.cfo_hz, frame.sro_ppm, frame.evm_percent, frame.snr_db)),
        ]
        if answers:
            cells.append(
                "" if frame.answer is None else f"{frame.answer} ({frame.probability:.0%})"
            )
        if pictures:
            cells.append("" if frame.psnr_db is None else f"{frame.psnr_db:.1f}")
        rejected = "rejected: changed on the way" if frame.accepted is False else ""
        cells.append(frame.problem or rejected)
        table.add_row(*cells)
    return table


def _short(value: float) -> str:
    """Return a figure with one decimal; nothing if it could not be measured."""
    return "" if math.isnan(value) else f"{value:z.1f}"
