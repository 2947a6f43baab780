"""``semveil attack``: perturb what Bob receives in a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import TRAINED, AsJson, DataRoot, Device, OnDevice, Quiet, Resume, Set
from semveil.cli.output import print_result
from semveil.errors import SemveilError


def attack(
    folder: Annotated[Path | None, typer.Argument(help=TRAINED)] = None,
    attacks: Annotated[
        str | None, typer.Option("--attacks", help="Names with commas between them, or 'all'.")
    ] = None,
    psr: Annotated[
        str | None,
        typer.Option("--psr", help="Budgets in dB: FIRST:LAST:STEP, or numbers with commas."),
    ] = None,
    snr: Annotated[
        float | None, typer.Option("--snr", help="Bob's SNR, dB; that of his training if omitted.")
    ] = None,
    source_class: Annotated[
        int | None,
        typer.Option("--source-class", help="Class whose images are attacked; each if omitted."),
    ] = None,
    target_class: Annotated[
        int | None,
        typer.Option("--target-class", help="Class that Bob shall answer; any if omitted."),
    ] = None,
    votes: Annotated[
        int | None,
        typer.Option(
            "--certify",
            metavar="N",
            help="Also certify predictions by randomised smoothing with N samples.",
        ),
    ] = None,
    systems: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME", help="Attack this one of the run's systems."),
    ] = None,
    changes: Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to make; RUN/attacks if omitted.")
    ] = None,
    resume: Resume = None,
    device: OnDevice = Device.auto,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Perturb what Bob receives in a trained run, by every attack at every budget, and report."""
    from semveil.cli.parse import attack_settings

    given = attack_settings(attacks, psr, snr, source_class, target_class, votes)
    if resume is not None and (folder or given or systems or changes or out):
        raise SemveilError("--resume takes no folder and no other setting of the attacks")
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        found = api.attack_run(
            folder,
            [*given, *(changes or [])],
            systems=systems,
            out=out,
            resume=resume,
            device=device.value,
            data=data,
            progress=progress,
        )
    print_result(found, quiet, as_json)
