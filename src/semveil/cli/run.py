"""``semveil run``: train, audit, report."""

from __future__ import annotations

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
    check_recipe,
)
from semveil.cli.output import print_result


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
    """Train a recipe's links, train eavesdroppers against them, and report what each party gets."""
    check_recipe(recipe, changes, out, resume, seed)
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        found = api.run(
            recipe,
            changes or (),
            out=out,
            resume=resume,
            seed=seed or 0,
            device=device.value,
            devices=devices,
            data=data,
            progress=progress,
        )
    print_result(found, quiet, as_json)
