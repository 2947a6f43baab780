"""The command line. Nothing slow is imported before a command needs it."""

from __future__ import annotations

import json
import sys
import warnings
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from semveil.errors import SemveilError, SemveilWarning, unknown

if TYPE_CHECKING:
    from semveil.experiment.run import Run
    from semveil.experiment.training import Hardware
    from semveil.recipe import Recipe
    from semveil.studies.jobs import Runner

app = typer.Typer(
    name="semveil",
    help="Private and robust semantic communications: train links, protect them, attack them, "
    "report the truth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data_app = typer.Typer(help="Show the data sets, or download one.", invoke_without_command=True)
app.add_typer(data_app, name="data")


class Device(StrEnum):
    """What to compute on."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Budget(StrEnum):
    """How much a study may cost."""

    smoke = "smoke"
    cpu = "cpu"
    full = "full"


RecipeName = Annotated[
    str | None, typer.Argument(help="A recipe of `semveil list`, or a .yaml file.")
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, as in link.latent_dim=64."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder to make; runs/NAME if omitted.")]
Resume = Annotated[
    Path | None, typer.Option("--resume", help="Go on with the interrupted run in this folder.")
]
Seed = Annotated[
    int | None, typer.Option("--seed", min=0, help="Seed of every random number; 0 if omitted.")
]
OnDevice = Annotated[Device, typer.Option("--device", help="What to compute on.")]
Devices = Annotated[int, typer.Option("--devices", min=1, help="Processes that train together.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Do N jobs at a time, in processes."),
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
DataRoot = Annotated[
    Path | None,
    typer.Option("--data", envvar="SEMVEIL_DATA", help="Folder of the data sets."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def _hardware(device: Device, devices: int) -> Hardware:
    from semveil.device import pick_device
    from semveil.experiment.training import Hardware

    return Hardware(pick_device(device.value), devices)


def _where(
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

        from semveil.experiment.training import Hardware
        from semveil.studies.cluster import Cluster

        # The GPUs are the cluster's: this machine need not have one.
        if gpus is None:
            gpus = devices if device is Device.cuda else 0
        kind = torch.device("cuda" if gpus else "cpu")
        return Hardware(kind, devices), Cluster(ray, cores or 1, gpus)
    from semveil.studies.jobs import OneByOne
    from semveil.studies.workers import Workers

    hardware = _hardware(device, devices)
    if workers is None:
        return hardware, OneByOne(cores)
    if gpus is None:
        gpus = devices if hardware.device.type == "cuda" else 0
    return hardware, Workers(workers, cores, gpus)


def _fresh_folder(stem: str) -> Path:
    """Return the first of runs/STEM, runs/STEM-2, … that is not there yet."""
    return _fresh(Path("runs") / stem)


def _beside(folder: Path, note: str) -> Path:
    """Return the folder beside another, whatever dots the other was named by."""
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}-{note}")


def _fresh(wanted: Path) -> Path:
    number = 1
    while True:
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        if not folder.exists():
            return folder
        number += 1


def _open(
    name: str | None,
    changes: list[str] | None,
    out: Path | None,
    resume: Path | None,
    seed: int | None,
    device: Device,
    devices: int,
    data: Path | None,
) -> Run:
    """Start a run, or go on with one; what is wrong with the words is said at once."""
    from semveil import recipe as recipes

    recipe: Recipe | None = None
    if resume is None:
        if name is None:
            raise SemveilError("name a recipe (see `semveil list`), or --resume a folder")
        recipe = recipes.load(name, changes or [])
    elif name is not None or changes or out is not None or seed is not None:
        raise SemveilError("--resume goes on as the run began: no recipe, --set, --out or --seed")

    from semveil.experiment.plan import requested, with_reference
    from semveil.experiment.run import Run

    hardware = _hardware(device, devices)
    if recipe is None or name is None:
        assert resume is not None
        return Run.open(resume, hardware, data)
    stem = Path(name).stem
    return Run.create(
        out or _fresh_folder(stem),
        stem,
        recipe,
        with_reference(requested(recipe)),
        seed or 0,
        hardware,
        data,
    )


def _show(folder: Path, quiet: bool, as_json: bool, page: Path | None = None) -> None:
    """Print what a folder's records say."""
    from rich.console import Console

    from semveil.records import read_records, to_line
    from semveil.report.attack_rows import only_attacks
    from semveil.report.attacks import attack_table
    from semveil.report.select import frame
    from semveil.report.table import summary_table

    records = read_records(folder / "records.jsonl")
    if as_json:
        shown: dict[str, Any] = {
            "folder": str(folder),
            "report": str(page) if page else None,
            "records": [json.loads(to_line(record)) for record in records],
        }
        typer.echo(json.dumps(shown))
    elif not quiet:
        console = Console()
        if not console.is_terminal:
            # A pipe has no width; the table needs this much.
            console = Console(width=100)
        attacks = only_attacks(frame(records))
        console.print(attack_table(records) if attacks else summary_table(records))
        if page:
            console.print(f"Report: {page}", soft_wrap=True)


@app.command()
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
    """Train a recipe's links, let eavesdroppers attack them, and report what everybody gets."""
    from semveil.progress import bars

    job = _open(recipe, changes, out, resume, seed, device, devices, data)
    with _resumable(job.folder, "run"), bars(quiet or as_json) as progress:
        job.audit(job.train(progress), progress)
        page = job.report()
    _show(job.folder, quiet, as_json, page)


@app.command()
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
    """Train a recipe's links and stop there; `semveil audit` goes on."""
    from semveil.progress import bars

    job = _open(recipe, changes, out, resume, seed, device, devices, data)
    with _resumable(job.folder, "train"), bars(quiet or as_json) as progress:
        job.train(progress)
    if as_json:
        typer.echo(json.dumps({"folder": str(job.folder)}))
    elif not quiet:
        typer.echo(f"Trained: {job.folder}")


@app.command()
def audit(
    folder: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    device: OnDevice = Device.auto,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Let eavesdroppers attack a trained run, and report."""
    from semveil.experiment.run import MODEL, Run
    from semveil.progress import bars

    job = Run.open(folder, _hardware(device, 1), data)
    if not (folder / MODEL).exists():
        raise SemveilError(f"{folder} is not trained: finish it with `semveil train --resume`")
    with _resumable(folder, "audit"), bars(quiet or as_json) as progress:
        job.audit(job.train(progress), progress)
        page = job.report()
    _show(folder, quiet, as_json, page)


@app.command()
def attack(
    folder: Annotated[Path | None, typer.Argument(help="Folder of a trained run.")] = None,
    attacks: Annotated[
        str | None, typer.Option("--attacks", help="Names with commas between them, or 'all'.")
    ] = None,
    psr: Annotated[
        str | None,
        typer.Option("--psr", help="Budgets in dB: FIRST:LAST:STEP, or numbers with commas."),
    ] = None,
    snr: Annotated[
        float | None, typer.Option("--snr", help="Bob's SNR, dB; that of his training if omitted.")
    ] = None,
    target: Annotated[
        int | None, typer.Option("--target", help="Class that SemAdv aims at; each if omitted.")
    ] = None,
    wrong: Annotated[
        int | None, typer.Option("--wrong", help="Class that Bob is to answer; any if omitted.")
    ] = None,
    votes: Annotated[
        int | None,
        typer.Option(
            "--certify",
            metavar="VOTES",
            help="Also certify Bob's answers, by a vote over so many repetitions.",
        ),
    ] = None,
    systems: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME", help="Attack this one of the run's systems."),
    ] = None,
    changes: Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to make; RUN/attacks if omitted.")
    ] = None,
    resume: Resume = None,
    device: OnDevice = Device.auto,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Perturb what Bob receives in a trained run, by every attack at every budget, and report."""
    from semveil import recipe as recipes
    from semveil.options import attack_settings
    from semveil.progress import bars

    given = attack_settings(attacks, psr, snr, target, wrong, votes)
    if resume is not None and (folder or given or systems or changes or out):
        raise SemveilError("--resume goes on as the attacks began: name nothing else")
    if resume is None and folder is None:
        raise SemveilError("name the folder of a run, or --resume a folder of attacks")

    from semveil.experiment.attack_run import AttackRun
    from semveil.experiment.run import Run

    hardware = _hardware(device, 1)
    if resume is not None:
        job = AttackRun.open(resume, hardware, data)
    else:
        assert folder is not None
        run = Run.open(folder, hardware, data)
        recipe = recipes.override(recipes.update(run.recipe, {"attack": given}), changes or [])
        if recipe.model_dump(exclude={"attack"}) != run.recipe.model_dump(exclude={"attack"}):
            raise SemveilError("--set: an attack changes settings of attack alone")
        job = AttackRun.create(out or _fresh(folder / "attacks"), run, recipe.attack, systems)
    with _resumable(job.folder, "attack"), bars(quiet or as_json) as progress:
        job.execute(progress)
        page = job.report()
    _show(job.folder, quiet, as_json, page)


@app.command()
def harden(
    folder: Annotated[Path, typer.Argument(help="Folder of a trained run.")],
    method: Annotated[
        str, typer.Option("--with", help="noise, at-pgd, at-pgm, at-semadv or semmixed.")
    ] = "semmixed",
    changes: Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to make; RUN-METHOD if omitted.")
    ] = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Train a run's link against attacks, as a new run; `semveil attack` and `audit` go on."""
    from semveil import recipe as recipes
    from semveil.experiment.harden import harden as start
    from semveil.experiment.run import Run
    from semveil.options import hardening
    from semveil.progress import bars

    chosen = hardening(method)
    run = Run.open(folder, _hardware(device, devices), data)
    settings = recipes.override(
        recipes.update(run.recipe, {"harden": {"method": chosen}}), changes or []
    )
    if recipes.without_hardening(settings) != recipes.without_hardening(run.recipe):
        raise SemveilError("--set: hardening changes settings of harden and attack alone")
    place = out or _fresh(_beside(folder, chosen))
    job = start(run, settings.model_dump(include={"harden", "attack"}), place)
    with _resumable(job.folder, "train"), bars(quiet or as_json) as progress:
        job.train(progress)
    if as_json:
        typer.echo(json.dumps({"folder": str(job.folder)}))
    elif not quiet:
        typer.echo(f"Hardened: {job.folder}")


@app.command()
def study(
    name: Annotated[str | None, typer.Argument(help="A study of `semveil list`.")] = None,
    budget: Annotated[Budget, typer.Option("--budget", help="How much it may cost.")] = Budget.cpu,
    out: Out = None,
    resume: Resume = None,
    seed: Seed = None,
    device: OnDevice = Device.auto,
    devices: Devices = 1,
    workers: Workers = None,
    ray: Ray = None,
    cores: CoresPerJob = None,
    gpus: GpusPerJob = None,
    links: Annotated[
        Path | None,
        typer.Option("--links", help="Folder of trained links to take from and to add to."),
    ] = None,
    data: DataRoot = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run every job of a study, then draw its figures and write its page."""
    from semveil.files import remove_scraps
    from semveil.progress import bars
    from semveil.studies import base, execute

    hardware, runner = _where(device, devices, workers, ray, cores, gpus)
    if resume is not None:
        if name is not None or out is not None or seed is not None:
            raise SemveilError("--resume goes on as the study began: no name, --out or --seed")
        folder = resume
        chosen = base.get(execute.read_facts(folder)["study"])
        remove_scraps(folder)
    else:
        if name is None:
            raise SemveilError("name a study (see `semveil list`), or --resume a folder")
        chosen = base.get(name)
        execute.check(chosen, budget.value, seed or 0, hardware, data)
        folder = out or _fresh_folder(f"{name}-{budget.value}")
        execute.start(folder, chosen, budget.value, seed or 0)
    with _resumable(folder, "study"), bars(quiet or as_json) as progress:
        execute.execute(folder, chosen, hardware, data, progress, runner, links)
    _show(folder, quiet, as_json, folder / execute.PAGE)


@app.command()
def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders of runs or studies.")],
    out: Annotated[Path, typer.Option("--out", help="HTML file to write.")] = Path("report.html"),
    quiet: Quiet = False,
) -> None:
    """Write one page on several runs, from their records."""
    from semveil.report.page import write_report

    if not out.parent.is_dir():
        raise SemveilError(f"cannot write {out}: there is no folder {out.parent}")
    write_report(out, folders)
    if not quiet:
        typer.echo(f"Report: {out}")


@data_app.callback()
def data_status(context: typer.Context, data: DataRoot = None) -> None:
    """Show the data sets and where they were found."""
    if context.invoked_subcommand:
        return
    from semveil import data as sets

    for entry in sets.status(data):
        found = entry.problem or (str(entry.where) if entry.where else "in the package")
        typer.echo(f"{entry.name:10} {entry.about}\n{'':10} {found}")
    typer.echo(f"{'folder:PATH':10} {sets.names()['folder:PATH']}")


@data_app.command("fetch")
def data_fetch(
    name: Annotated[str, typer.Argument(help="mnist or cifar10.")],
    data: DataRoot = None,
    quiet: Quiet = False,
) -> None:
    """Download a data set from its publisher, verified, resuming what was begun."""
    from semveil.data.fetch import fetch
    from semveil.progress import bars

    with bars(quiet) as progress:
        where = fetch(name, data, progress=lambda file, done, total: progress(file, done, total))
    if not quiet:
        typer.echo(f"{name}: {where}")


def _said(statement: dict[str, str]) -> list[str]:
    title, *rest = statement.items()
    return [title[1], *(f"{what}: {stated}" for what, stated in rest)]


@app.command("list")
def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="schemes, attacks, trainings, 'data sets', recipes or studies; all if omitted."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the schemes, attacks, trainings, data sets, recipes and studies there are."""
    from semveil import data as sets
    from semveil import options
    from semveil import recipe as recipes
    from semveil.schemes import base as schemes
    from semveil.studies import base as studies

    found: dict[str, dict[str, Any]] = {
        "schemes": {name: schemes.get(name).statement() for name in schemes.names()},
        "attacks": options.ATTACKS,
        "trainings": options.TRAININGS,
        "data sets": sets.names(),
        "recipes": {name: recipes.load(name).scheme for name in recipes.names()},
        "studies": {name: studies.get(name).title for name in studies.names()},
    }
    if kind is not None:
        if kind not in found:
            raise unknown("kind", kind, list(found))
        found = {kind: found[kind]}
    if as_json:
        typer.echo(json.dumps(found))
        return
    for heading, entries in found.items():
        typer.echo(f"{heading}:")
        width = max(map(len, entries))
        for name, about in entries.items():
            title, *rest = [about] if isinstance(about, str) else _said(about)
            typer.echo(f"  {name:{width}}  {title}")
            for line in rest:
                typer.echo(f"  {'':{width}}    {line}")


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which ratios; all if omitted.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure speed, as ratios against stated references in one run."""
    from rich.console import Console

    from semveil.progress import bars

    benchmarks = _benchmarks()
    with bars(quiet or as_json) as progress:
        result = benchmarks.run(names or None, quick=quick, progress=progress)
    if as_json:
        typer.echo(json.dumps(result))
    elif not quiet:
        Console().print(benchmarks.table(result))


def _benchmarks() -> Any:
    """Import the benchmarks, which a checkout has beside the package."""
    import semveil

    root = Path(semveil.__file__).parents[2]
    if not (root / "benchmarks" / "__init__.py").is_file():
        raise SemveilError(
            "bench: the benchmarks are not part of the installed package; run it in a checkout "
            "of the repository (make bench)"
        )
    sys.path.insert(0, str(root))
    return import_module("benchmarks")


class _resumable:  # noqa: N801 (a context manager, used as a word)
    """Say how to go on when the work in a folder is interrupted."""

    def __init__(self, folder: Path, command: str) -> None:
        self.folder, self.command = folder, command

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            import shlex

            folder = shlex.quote(str(self.folder))
            how = (
                f"audit {folder}"
                if self.command == "audit"
                else f"{self.command} --resume {folder}"
            )
            typer.echo(f"semveil: interrupted; go on with: semveil {how}", err=True)
            raise SystemExit(130)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from semveil import __version__

        typer.echo(__version__)


def main() -> None:
    """Run the command line; errors that the user can mend end in one line and status 2."""
    warnings.formatwarning = _one_line
    try:
        code = app(standalone_mode=False)
    except SemveilError as error:
        sys.exit(_fail(str(error)))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except typer.TyperException as error:
        # Complaints about the words of the command; their text is a method of the subclasses.
        message = getattr(error, "format_message", error.__str__)()
        # Without any word the help has been printed, and there is nothing to add.
        sys.exit(_fail(message) if message else 2)
    sys.exit(code if isinstance(code, int) else 0)


_whole_warning = warnings.formatwarning


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Show what is meant for the user as one line, and other warnings as Python does."""
    if issubclass(category, SemveilWarning):
        return f"semveil: {message}\n"
    return _whole_warning(message, category, filename, lineno, line)


def _fail(message: str) -> int:
    print(f"semveil: {' '.join(message.split())}", file=sys.stderr)
    return 2
