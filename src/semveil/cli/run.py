"""``semveil run``: train, audit, report."""

from __future__ import annotations

from semveil.cli.folders import resumable
from semveil.cli.options import (
    AsJson,
    DataRoot,
    Device,
    Devices,
    OnDevice,
    Out,
    Quiet,
    RecipeName,
    Resume,
    Seed,
    Set,
)
from semveil.cli.output import print_records
from semveil.cli.start import open_run


def run(
    recipe: RecipeName = None,
    changes: Set = None,
    out: Out = None,
    resume: Resume = None,
    seed: Seed = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe's links, let eavesdroppers attack them, and report what everybody gets."""
    from semveil.progress import bars

    job = open_run(recipe, changes, out, resume, seed, device, devices, data)
    with resumable(job.folder, "run"), bars(quiet or as_json) as progress:
        job.audit(job.train(progress), progress)
        page = job.report()
    print_records(job.folder, quiet, as_json, page)
