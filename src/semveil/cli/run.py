"""``semveil run`` and ``semveil train``: the commands that begin with a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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


def _call(
    function: str,
    recipe: str | None,
    changes: list[str] | None,
    out: Path | None,
    resume: Path | None,
    seed: int | None,
    reference: bool,
    silent: bool,
    settings: dict[str, Any],
) -> Any:
    """Check what a command was given, and call the public function with bars of its progress."""
    check_recipe(recipe, changes, out, resume, seed, reference)
    from semveil import api
    from semveil.progress import bars

    with bars(silent) as progress:
        return getattr(api, function)(
            recipe,
            changes or (),
            out=out,
            resume=resume,
            seed=seed or 0,
            reference=reference,
            progress=progress,
            **settings,
        )


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
    given = recipe, changes, out, resume, seed, reference, quiet or as_json
    more = {"device": device.value, "devices": devices, "workers": workers, "data": data}
    print_result(_call("run", *given, more), quiet, as_json)


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
    given = recipe, changes, out, resume, seed, reference, quiet or as_json
    more = {"device": device.value, "devices": devices, "data": data}
    print_folder("Trained", _call("train", *given, more), quiet, as_json)
