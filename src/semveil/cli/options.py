"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from semveil.errors import SemveilError


class Device(StrEnum):
    """What to compute on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Budget(StrEnum):
    """How much a study may cost."""

    smoke = "smoke"
    cpu = "cpu"
    gpu = "gpu"


def complete_recipes(begun: str) -> list[str]:
    """Return the recipes whose names begin as a word does, for the shell."""
    from semveil.recipe import names

    return [name for name in names() if name.startswith(begun)]


RecipeName = Annotated[
    str | None,
    typer.Argument(
        help="A recipe of `semveil list`, or a .yaml file.", autocompletion=complete_recipes
    ),
]
TRAINED = "Folder of a trained run, or a link of `semveil zoo list`."
RunFolder = Annotated[Path, typer.Argument(help=TRAINED)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as in link.latent_dim=64."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to make; runs/NAME if omitted.")]
Reference = Annotated[
    bool,
    typer.Option(
        "--reference/--no-reference",
        help="Also train the unprotected reference, which tables compare with.",
    ),
]
Resume = Annotated[
    Path | None, typer.Option("--resume", help="Resume the interrupted run in this folder.")
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Seed of every random number; 0 if omitted.")
]
OnDevice = Annotated[Device, typer.Option("--device", help="What to compute on.")]
Devices = Annotated[int, typer.Option("--devices", min=1, help="Processes that train together.")]
OfBudget = Annotated[
    Budget | None, typer.Option("--budget", help="How much it may cost; cpu if omitted.")
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Do N jobs at a time, in processes."),
]
AuditWorkers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Audit N systems at a time, in processes."),
]
Ray = Annotated[
    str | None,
    typer.Option("--ray", metavar="ADDRESS", help="Do the jobs on a Ray cluster, such as 'auto'."),
]
CoresPerJob = Annotated[
    int | None,
    typer.Option(
        "--cores-per-job",
        metavar="N",
        min=1,
        help="Threads of a job; the same number gives the same last digits.",
    ),
]
GpusPerJob = Annotated[
    float | None,
    typer.Option("--gpus-per-job", metavar="N", min=0, help="GPUs of a job, or a part of one."),
]
Links = Annotated[
    Path | None,
    typer.Option("--links", help="Folder of trained links to take from and to add to."),
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data", envvar="SEMVEIL_DATA", help="Folder of the data sets."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def check_recipe(
    recipe: str | None,
    changes: list[str] | None,
    out: Path | None,
    resume: Path | None,
    seed: int | None,
    reference: bool,
) -> None:
    """Refuse what is wrong with a recipe and its settings, before torch is imported."""
    if resume is None and recipe is not None:
        from semveil.recipe import load

        load(recipe, changes or ())
    elif resume is not None and (recipe or changes or out or seed is not None or not reference):
        raise SemveilError("--resume takes no recipe, --set, --out, --seed or --no-reference")
