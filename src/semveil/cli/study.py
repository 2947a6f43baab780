"""``semveil study``: a study's jobs, figures and page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.options import (
    AsJson,
    DataRoot,
    Device,
    Devices,
    OnDevice,
    Out,
    Quiet,
    Resume,
    Seed,
)
from semveil.cli.output import print_result
from semveil.errors import SemveilError


class Budget(StrEnum):
    """How much a study may cost."""

    smoke = "smoke"
    cpu = "cpu"
    gpu = "gpu"


def study(
    name: Annotated[str | None, typer.Argument(help="A study of `semveil list`.")] = None,
    budget: Annotated[Budget, typer.Option("--budget", help="How much it may cost.")] = Budget.cpu,
    out: Out = None,
    resume: Resume = None,
    seed: Seed = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Do N jobs at a time, in processes."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Do the jobs on a Ray cluster, such as 'auto'."
        ),
    ] = None,
    cores: Annotated[
        int | None,
        typer.Option(
            "--cores-per-job",
            metavar="N",
            min=1,
            help="Threads of a job; the same number gives the same last digits.",
        ),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option("--gpus-per-job", metavar="N", min=0, help="GPUs of a job, or a part of one."),
    ] = None,
    links: Annotated[
        Path | None,
        typer.Option("--links", help="Folder of trained links to take from and to add to."),
    ] = None,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run every job of a study, then draw its figures and write its page."""
    if resume is not None and (name is not None or out is not None or seed is not None):
        raise SemveilError("--resume takes no name, --out or --seed")
    from semveil import api
    from semveil.papers.execute import PAGE
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        found = api.study(
            name,
            budget.value,
            out=out,
            resume=resume,
            seed=seed or 0,
            device=device.value,
            devices=devices,
            workers=workers,
            ray=ray,
            cores_per_job=cores,
            gpus_per_job=gpus,
            links=links,
            data=data,
            progress=progress,
        )
    print_result(found, quiet, as_json, PAGE)
