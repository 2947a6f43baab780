"""Starts a run, or opens one to go on with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from semveil.cli.folders import unused
from semveil.cli.options import Device, hardware
from semveil.errors import SemveilError

if TYPE_CHECKING:
    from semveil.experiment.run import Run
    from semveil.recipe import Recipe


def open_run(
    name: str | None,
    changes: list[str] | None,
    out: Path | None,
    resume: Path | None,
    seed: int | None,
    device: Device,
    devices: int,
    data: Path | None,
) -> Run:
    """Start a run, or go on with one; what is wrong with the options is said at once."""
    from semveil import recipe as recipes

    recipe: Recipe | None = None
    if resume is None:
        if name is None:
            raise SemveilError("name a recipe (see `semveil list`), or --resume a folder")
        recipe = recipes.load(name, changes or [])
    elif name is not None or changes or out is not None or seed is not None:
        raise SemveilError("--resume takes no recipe, --set, --out or --seed")

    from semveil.experiment.plan import requested, with_reference
    from semveil.experiment.run import Run

    machine = hardware(device, devices)
    if recipe is None or name is None:
        assert resume is not None
        return Run.open(resume, machine, data)
    stem = Path(name).stem
    return Run.create(
        out or unused(Path("runs") / stem),
        stem,
        recipe,
        with_reference(requested(recipe)),
        seed or 0,
        machine,
        data,
    )
