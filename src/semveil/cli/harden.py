"""``semveil harden``: adversarial training of a run's link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from semveil.cli.folders import beside, resumable, unused
from semveil.cli.options import (
    AsJson,
    DataRoot,
    Device,
    Devices,
    OnDevice,
    Quiet,
    RunFolder,
    Set,
    hardware,
)
from semveil.cli.output import print_folder
from semveil.errors import SemveilError


def harden(
    folder: RunFolder,
    method: Annotated[
        str, typer.Option("--with", help="noise, at-pgd, at-pgm, at-semadv or semmixed.")
    ] = "semmixed",
    changes: Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to make; RUN-METHOD if omitted.")
    ] = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a run's link against attacks, as a new run; `semveil attack` and `audit` go on."""
    from semveil import recipe as recipes
    from semveil.experiment.harden import harden as start
    from semveil.experiment.run import Run
    from semveil.progress import bars
    from semveil.training import TRAININGS

    TRAININGS.get(method)
    run = Run.open(folder, hardware(device, devices), data)
    settings = recipes.override(
        recipes.update(run.recipe, {"harden": {"method": method}}), changes or []
    )
    if recipes.without_hardening(settings) != recipes.without_hardening(run.recipe):
        raise SemveilError("--set: hardening changes settings of harden and attack alone")
    place = out or unused(beside(folder, method))
    job = start(run, settings.model_dump(include={"harden", "attack"}), place)
    with resumable(job.folder, "train"), bars(quiet or as_json) as progress:
        job.train(progress)
    print_folder("Hardened", job.folder, quiet, as_json)
