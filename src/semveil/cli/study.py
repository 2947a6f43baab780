"""``semveil study``: a study's jobs, figures and page."""

from __future__ import annotations

from typing import Annotated

import typer

from semveil.cli.options import (
    AsJson,
    CoresPerJob,
    DataRoot,
    Device,
    Devices,
    GpusPerJob,
    Links,
    OfBudget,
    OnDevice,
    Out,
    Quiet,
    Ray,
    Resume,
    Seed,
    Workers,
)
from semveil.cli.output import print_result
from semveil.errors import SemveilError


def study(
    name: Annotated[str | None, typer.Argument(help="A study of `semveil list`.")] = None,
    budget: OfBudget = None,
    out: Out = None,
    resume: Resume = None,
    seed: Seed = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    workers: Workers = None,
    ray: Ray = None,
    cores: CoresPerJob = None,
    gpus: GpusPerJob = None,
    links: Links = None,
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
            budget and budget.value,
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
