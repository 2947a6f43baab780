"""``semveil send``: images of one's own over a trained link."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semveil.cli.options import AsJson, Device, OnDevice, Quiet, RunFolder
from semveil.cli.output import console

if TYPE_CHECKING:
    from semveil.experiment.send import Sent


def send(
    folder: RunFolder,
    images: Annotated[list[Path], typer.Argument(help="Image files.")],
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="NAME", help="Send over this one of the run's systems."),
    ] = None,
    snr: Annotated[
        float | None,
        typer.Option("--snr", help="SNR of Bob and Eve, dB; that of Bob's training if omitted."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of fading and noise.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Picture to write; RUN/sent.png if omitted.")
    ] = None,
    device: OnDevice = Device.auto,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Send images over a trained link, and show what Bob and the strongest Eve get."""
    from semveil import api

    picture = out or folder / "sent.png"
    sent = api.send(
        folder,
        images,
        system=system,
        snr_db=snr,
        seed=seed,
        picture=picture,
        device=device.value,
    )
    if as_json:
        print(json.dumps(_plain(sent) | {"picture": str(picture)}))
    elif not quiet:
        console().print(_table(sent))
        print(f"Picture: {picture}")


def _plain(sent: Sent) -> dict[str, Any]:
    """Return the figures of all images, by party."""
    parties = {
        each.party: {
            "answers": each.answers,
            "probabilities": each.probabilities,
            "psnr_db": each.psnr_db,
            **({} if each.accepted is None else {"accepted": each.accepted}),
        }
        for each in sent.received
    }
    files = [str(file) for file in sent.files]
    return {"system": sent.system, "snr_db": sent.snr_db, "images": files, "parties": parties}


def _table(sent: Sent) -> Any:
    """Return one row per image: the answer of each party and the PSNR of its reconstruction."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, title=f"{sent.system} at {sent.snr_db:g} dB", title_justify="left"
    )
    table.add_column("image", overflow="fold")
    columns = []
    for each in sent.received:
        party = each.party if each.party == "Bob" else f"Eve {each.party}"
        if each.answers is not None and each.probabilities is not None:
            table.add_column(f"{party}: class")
            columns.append(
                [f"{a} ({p:.0%})" for a, p in zip(each.answers, each.probabilities, strict=True)]
            )
        if each.psnr_db is not None:
            table.add_column(f"{party}: PSNR (dB)", justify="right")
            columns.append([f"{value:.1f}" for value in each.psnr_db])
        if each.accepted is not None:
            table.add_column(f"{party}: accepted")
            columns.append(["yes" if accepted else "no" for accepted in each.accepted])
    for file, *cells in zip(sent.files, *columns, strict=True):
        table.add_row(file.name, *cells)
    return table
