"""``semveil train``: train the links of a recipe."""

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
from semveil.cli.output import print_folder


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
    """Train a recipe's links; `semveil audit` measures them."""
    check_recipe(recipe, changes, out, resume, seed)
    from semveil import api
    from semveil.progress import bars

    with bars(quiet or as_json) as progress:
        link = api.train(
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
    print_folder("Trained", link, quiet, as_json)
