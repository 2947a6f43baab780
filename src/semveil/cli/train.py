"""``semveil train``: train the links of a recipe."""

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
from semveil.cli.output import print_folder
from semveil.cli.start import open_run


def train(
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
    """Train a recipe's links and stop there; `semveil audit` goes on."""
    from semveil.progress import bars

    job = open_run(recipe, changes, out, resume, seed, device, devices, data)
    with resumable(job.folder, "train"), bars(quiet or as_json) as progress:
        job.train(progress)
    print_folder("Trained", job.folder, quiet, as_json)
