"""``semveil run`` and ``semveil train``: the commands that begin with a recipe."""

from __future__ import annotations

from semveil.cli.options import (
    AsJson,
    AuditWorkers,
    DataRoot,
    Device,
    Devices,
    OnDevice,
    Out,
    Quiet,
    RecipeName,
    Reference,
    Resume,
    Seed,
    Set,
    check_recipe,
)
from semveil.cli.output import print_folder, print_result


def run(
    recipe: RecipeName = None,
    changes: Set = None,
    out: Out = None,
    resume: Resume = None,
    seed: Seed = None,
    reference: Reference = True,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    workers: AuditWorkers = None,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe's links, train eavesdroppers against them, and report what each party gets."""
    check_recipe(recipe, changes, out, resume, seed, reference)
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        found = api.run(
            recipe,
            changes or (),
            out=out,
            resume=resume,
            seed=seed or 0,
            reference=reference,
            device=device.value,
            devices=devices,
            workers=workers,
            data=data,
            progress=progress,
        )
    print_result(found, quiet, as_json)


def train(
    recipe: RecipeName = None,
    changes: Set = None,
    out: Out = None,
    resume: Resume = None,
    seed: Seed = None,
    reference: Reference = True,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a recipe's links; `semveil audit` measures them."""
    check_recipe(recipe, changes, out, resume, seed, reference)
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        found = api.train(
            recipe,
            changes or (),
            out=out,
            resume=resume,
            seed=seed or 0,
            reference=reference,
            device=device.value,
            devices=devices,
            data=data,
            progress=progress,
        )
    print_folder("Trained", found, quiet, as_json)
