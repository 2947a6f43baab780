"""``semveil study``: a study's jobs, figures and page."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semveil.cli.options import (
    AsJson,
    DataRoot,
    Device,
    Devices,
    OnDevice,
    Out,
    Quiet,
    Resume,
    Seed,
    hardware,
)
from semveil.cli.output import print_result
from semveil.errors import SemveilError, resumable

if TYPE_CHECKING:
    from semveil.experiment.jobs import Runner
    from semveil.experiment.training import Hardware


class Budget(StrEnum):
    """How much a study may cost."""

    smoke = "smoke"
    cpu = "cpu"
    full = "full"


def study(
    name: Annotated[str | None, typer.Argument(help="A study of `semveil list`.")] = None,
    budget: Annotated[Budget, typer.Option("--budget", help="How much it may cost.")] = Budget.cpu,
    out: Out = None,
    resume: Resume = None,
    seed: Seed = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", min=1, help="Do N jobs at a time, in processes."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Do the jobs on a Ray cluster, such as 'auto'."
        ),
    ] = None,
    cores: Annotated[
        int | None,
        typer.Option(
            "--cores-per-job",
            metavar="N",
            min=1,
            help="Threads of a job; the same number gives the same last digits.",
        ),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option("--gpus-per-job", metavar="N", min=0, help="GPUs of a job, or a part of one."),
    ] = None,
    links: Annotated[
        Path | None,
        typer.Option("--links", help="Folder of trained links to take from and to add to."),
    ] = None,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run every job of a study, then draw its figures and write its page."""
    from semveil.files import remove_scraps, unused_folder
    from semveil.papers import PAPERS, execute
    from semveil.progress import bars
    from semveil.result import read_result

    machine, runner = _runner(device, devices, workers, ray, cores, gpus)
    if resume is not None:
        if name is not None or out is not None or seed is not None:
            raise SemveilError("--resume takes no name, --out or --seed")
        folder = resume
        chosen = PAPERS.get(execute.read_facts(folder)["study"])()
        remove_scraps(folder)
    else:
        if name is None:
            raise SemveilError("name a study (see `semveil list`), or --resume a folder")
        chosen = PAPERS.get(name)()
        execute.check(chosen, budget.value, seed or 0, machine, data)
        folder = out or unused_folder(Path("runs") / f"{name}-{budget.value}")
        execute.start(folder, chosen, budget.value, seed or 0)
    with resumable(folder, "study"), bars(quiet or as_json) as progress:
        execute.execute(folder, chosen, machine, data, progress, runner, links)
    print_result(read_result(folder), quiet, as_json, execute.PAGE)


def _runner(
    device: Device,
    devices: int,
    workers: int | None,
    ray: str | None,
    cores: int | None,
    gpus: float | None,
) -> tuple[Hardware, Runner]:
    """Return what a study's jobs compute on, and who does them."""
    if workers and ray:
        raise SemveilError("--workers are processes of this machine, --ray is a cluster: name one")
    if gpus is not None and not workers and not ray:
        raise SemveilError("--gpus-per-job shares GPUs out to --workers or --ray: name one")
    if gpus and device is Device.cpu:
        raise SemveilError("--device cpu: its jobs have no use for --gpus-per-job")
    if ray:
        import torch

        from semveil.experiment.cluster import Cluster
        from semveil.experiment.training import Hardware

        # The GPUs are the cluster's: this machine need not have one.
        if gpus is None:
            gpus = devices if device is Device.cuda else 0
        kind = torch.device("cuda" if gpus else "cpu")
        return Hardware(kind, devices), Cluster(ray, cores or 1, gpus)
    from semveil.experiment.pool import Pool

    machine = hardware(device, devices)
    if gpus is None:
        gpus = devices if workers and machine.device.type == "cuda" else 0
    return machine, Pool(workers, cores, gpus)
