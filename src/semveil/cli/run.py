"""``semveil run`` and ``semveil train``: the commands that begin with a recipe."""

from __future__ import annotations

from collections.abc import Callable

from semveil.cli.options import (
    AsJson,
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


def _begun(name: str, about: str) -> Callable[..., None]:
    """Return the command that calls the public function of its name."""

    def command(
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
        check_recipe(recipe, changes, out, resume, seed, reference)
        from semveil import api
        from semveil.progress import bars

        with bars(quiet or as_json) as progress:
            found = (api.run if name == "run" else api.train)(
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
        if isinstance(found, api.Link):
            print_folder("Trained", found, quiet, as_json)
        else:
            print_result(found, quiet, as_json)

    command.__name__, command.__doc__ = name, about
    return command


run = _begun(
    "run",
    "Train a recipe's links, train eavesdroppers against them, and report what each party gets.",
)
train = _begun("train", "Train a recipe's links; `semveil audit` measures them.")
