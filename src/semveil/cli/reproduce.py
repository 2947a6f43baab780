"""``semveil reproduce``: all jobs of all studies, and a check of their results."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated

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
from semveil.cli.output import console
from semveil.errors import SemveilError

if TYPE_CHECKING:
    from rich.table import Table

    from semveil.papers.manifest import Manifest


def reproduce(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="PAPER", help="Only this study; may be repeated."),
    ] = None,
    budget: OfBudget = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes", metavar="N", min=0, help="Stop after N minutes; --resume goes on."
        ),
    ] = None,
    out: Out = None,
    resume: Resume = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--check",
            metavar="FOLDER",
            help="Only check that the results in this folder are complete and of one commit.",
        ),
    ] = None,
    seed: Seed = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    workers: Workers = None,
    ray: Ray = None,
    cores: CoresPerJob = None,
    gpus: GpusPerJob = None,
    links: Links = None,
    zoo: Annotated[
        bool, typer.Option("--zoo/--no-zoo", help="Take links that the zoo has; else train them.")
    ] = True,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run every job of every study, the most important first, and write their pages."""
    if resume is not None and check is not None:
        raise SemveilError("--resume goes on, --check only reads: name one")
    begins = bool(only) or out is not None or seed is not None
    if resume is not None and begins:
        raise SemveilError("--resume takes no --only, --out or --seed")
    if check is not None:
        computes = [budget, minutes, workers, ray, cores, gpus, links]
        chosen = not zoo or devices != 1 or device != Device.auto
        if begins or chosen or any(each is not None for each in computes):
            raise SemveilError("--check only reads: it takes --quiet and --json alone")
        _check(check, quiet, as_json)
        return
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        folder, manifest = api.reproduce(
            only or (),
            budget and budget.value,
            out=out,
            seed=seed or 0,
            minutes=minutes,
            device=device.value,
            devices=devices,
            workers=workers,
            ray=ray,
            cores_per_job=cores,
            gpus_per_job=gpus,
            links=links,
            data=data,
            progress=progress,
            resume=resume,
            zoo=zoo,
        )
    if as_json:
        print(json.dumps({"folder": str(folder)} | manifest.model_dump()))
    elif not quiet:
        _print(
            folder,
            manifest,
            api.resuming_options(
                device.value, devices, workers, ray, cores, gpus, links, data, zoo
            ),
        )
    for name, error in manifest.failures().items():
        print(f"semveil: {name} failed: {error}", file=sys.stderr)
    if manifest.failures():
        raise typer.Exit(1)


def _check(folder: Path, quiet: bool, as_json: bool) -> None:
    from semveil.papers.manifest import check

    manifest = check(folder)
    _, job = next(manifest.jobs())
    found = {
        "folder": str(folder),
        "commit": job.code[0].commit,
        "jobs": len(list(manifest.jobs())),
        "studies": list(manifest.studies),
    }
    if as_json:
        print(json.dumps(found))
    elif not quiet:
        studies = len(manifest.studies)
        print(f"{folder}: {found['jobs']} jobs of {studies} studies, all of {found['commit']}")


def _print(folder: Path, manifest: Manifest, options: list[str]) -> None:
    console().print(_table(manifest))
    print(f"Manifest: {folder / 'manifest.json'}")
    if any(study.records is None for study in manifest.studies.values()):
        words = ["semveil", "reproduce", "--resume", str(folder), *options]
        print(f"Go on with: {join(words)}")


def _table(manifest: Manifest) -> Table:
    from rich.table import Table

    table = Table("study", "done", "failed", "left", "wall time (min)", "processor time (min)")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, study in manifest.studies.items():
        jobs = study.jobs.values()
        states = [job.state for job in jobs]
        counts = [str(states.count(state)) for state in ("done", "failed", "left")]
        seconds = (sum(job.wall_s for job in jobs), sum(job.cpu_s for job in jobs))
        table.add_row(name, *counts, *(f"{each / 60:.1f}" for each in seconds))
    return table
