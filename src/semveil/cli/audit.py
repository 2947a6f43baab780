"""``semveil audit``: eavesdroppers attack a trained run."""

from __future__ import annotations

from semveil.cli.folders import resumable
from semveil.cli.options import AsJson, DataRoot, Device, OnDevice, Quiet, RunFolder, hardware
from semveil.cli.output import print_records
from semveil.errors import SemveilError


def audit(
    folder: RunFolder,
    device: OnDevice = Device.auto,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let eavesdroppers attack a trained run, and report."""
    from semveil.experiment.run import MODEL, Run
    from semveil.progress import bars

    job = Run.open(folder, hardware(device), data)
    if not (folder / MODEL).exists():
        raise SemveilError(f"{folder} is not trained: finish it with `semveil train --resume`")
    with resumable(folder, "audit"), bars(quiet or as_json) as progress:
        job.audit(job.train(progress), progress)
        page = job.report()
    print_records(folder, quiet, as_json, page)
