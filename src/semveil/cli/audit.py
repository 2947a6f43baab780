"""``semveil audit``: eavesdroppers attack a trained run."""

from __future__ import annotations

from semveil.cli.options import AsJson, DataRoot, Device, OnDevice, Quiet, RunFolder
from semveil.cli.output import print_result


def audit(
    folder: RunFolder,
    device: OnDevice = Device.auto,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let eavesdroppers attack a trained run, and report."""
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        found = api.audit_run(folder, device=device.value, data=data, progress=progress)
    print_result(found, quiet, as_json)
