"""Transfer learning for a new task, new images and a new channel, against starting anew.

The survey's section V.C states that transfer lets a system adapt "without the need for extensive
retraining" and reports no experiment; this one is our reading of it.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil import recipe as recipes
from semveil.report.adaptation import Difference, Verdict, curves, verdicts
from semveil.report.select import where
from semveil.studies.base import Job, Study, in_code, nested
from semveil.studies.words import markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from semveil.experiment.jobs import JobContext

# "Without extensive retraining", as the page judges it.
SHARE, MARGIN = 0.1, 0.01

_BUDGETS: dict[str, dict[str, dict[str, Any]]] = {
    "smoke": {"digits": {"seeds": 2, "data.limit": 600, "train.batch": 32, "train.epochs": 5}},
    "cpu": {
        "mnist": {
            "seeds": 3,
            "data.limit": 16000,
            "train.batch": 16,
            "train.epochs": 2,
            "train.lr": 1e-3,
        }
    },
    "full": {
        "mnist": {"seeds": 5, "train.batch": 64, "train.epochs": 20, "train.lr": 1e-3},
        "cifar10": {"seeds": 5, "train.batch": 64, "train.epochs": 40, "train.lr": 1e-3},
    },
}


def jobs(budget: str, seed: int) -> list[Job]:
    """Return one job per data set and seed, with all changes and arms, which share the links.

    Example:
        >>> [job.name for job in jobs("cpu", 0)]
        ['mnist-0', 'mnist-1', 'mnist-2']
    """
    found = []
    for dataset, settings in _BUDGETS[budget].items():
        changes = {key: value for key, value in settings.items() if key != "seeds"}
        recipe = recipes.update(recipes.load(f"deepjscc-{dataset}"), nested(changes))
        found += [
            Job(f"{dataset}-{n}", recipe, ("deepjscc",), n, work=f"{__name__}:adapt")
            for n in range(seed, seed + settings["seeds"])
        ]
    return found


def adapt(folder: Path, job: Job, means: JobContext) -> None:
    """Train the links of a seed, adapt them and measure: the work of the jobs.

    Args:
        folder: The job's folder; links that are half trained go on from there.
        job: The job.
        means: What it works with.

    Raises:
        SemveilError: If the images cannot be had, or a loss is not finite.
    """
    from semveil.experiment.adaptation import Adaptation
    from semveil.experiment.jobs import read_images, write_results

    started = time.monotonic()
    splits = means.splits or read_images(job, means)
    links = folder / "links"
    adaptation = Adaptation(
        means.study, job.recipe, splits, job.seed, means.hardware, links, means.progress
    )
    records = list(adaptation.records())
    shutil.rmtree(links)
    write_results(folder, job, means, records, started)


def figures(table: pd.DataFrame) -> Mapping[str, Figure]:
    """Return accuracy against steps, and against what they cost, for each data set."""
    from semveil.report.figures.adaptation import learning_curves

    drawn = {}
    found = curves(table)
    for dataset in found["dataset"].unique():
        points = where(found, dataset=dataset)
        chance = _chance(table, dataset, list(points["shift"].unique()))
        drawn[f"steps-{dataset}.svg"] = learning_curves(points, chance, "steps")
        drawn[f"cost-{dataset}.svg"] = learning_curves(points, chance, "flops")
    return drawn


def _chance(table: pd.DataFrame, dataset: str, shifts: list[str]) -> dict[str, float]:
    mine = where(table, metric="chance", dataset=dataset)
    return {
        shift: float(where(mine, **{"params.shift": shift})["value"].mean()) for shift in shifts
    }


def page(table: pd.DataFrame) -> str:
    """Return the page: the claim, the rule it is judged by, what was found."""
    found = curves(table)
    parts = [_ABOUT.format(tenth=f"{100 * SHARE:.0f} %", margin=f"{100 * MARGIN:.0f}")]
    sections = []
    for dataset in found["dataset"].unique():
        points = where(found, dataset=dataset)
        judged = {
            shift: verdicts(where(points, shift=shift), SHARE) for shift in points["shift"].unique()
        }
        parts.append(_in_short(dataset, judged))
        sections.append(_dataset(table, dataset, points, judged))
    return "\n".join(parts + sections)


_ABOUT = """# Adaptation to a new task, new images, a new channel

Guo et al. (section V.C) write of a link whose task, data or channel changes: "Transfer learning
enables ToSC systems to quickly adjust to new tasks without the need for extensive retraining,
thereby saving time and computational resources." They report no experiment. Everything here is
our reading.

**What changes.** The link is `deepjscc`, trained over AWGN at 12 dB.

| change | trained for | has to work for |
| --- | --- | --- |
| coarser | the classes | two groups of them: even or odd digits (CIFAR-10: animals or vehicles) |
| finer | the two groups | the classes |
| turned | upright images | the same set turned by 90° anticlockwise, same classes |
| fading | AWGN, 12 dB | Rayleigh block fading with perfect CSI, 12 dB on average |
| noise | AWGN, 12 dB | AWGN, 2 dB |

**What learns.** *head*: Bob's last layer; *bob*: Bob's whole network; *alice*: her encoder; *all*:
both; *scratch* and *retrained*: both, from fresh weights. What does not learn keeps its batch
statistics too. New answers (coarser, finer) need a new last layer, which is drawn afresh and learns
in every arm, also beside *alice*. The system's images are shared out: one half trained the link,
the other half is adapted to, by all arms in the same order and with the same draws of the channel.
Adam's rate is constant and the same for all, chosen for none of them; so the curve at a number of
steps is what somebody has who stops there. *retrained* is *scratch* with a rate that warms up and
falls, as the link's first training had it.

**Cost** is counted, not timed: multiplications and additions of all matrix products and
convolutions, forward and backward, by torch's counter. Where Alice stands still her forward pass is
paid in every step all the same; whoever keeps her waveforms pays less. What the link's first
training cost is not counted: it is there.

**How the claim is judged.** The reference is what starting anew ends at: the end of *scratch* or of
*retrained*, whichever is higher. The claim is confirmed for a change and a part if, with no more
than {tenth} of what starting anew costs in all, the adapted link is not more than {margin} point
below the reference: the lower end of the 95 % interval of the difference (Student's, over the
seeds, paired) lies above −{margin} point. *Equal cost* compares with the first stop of *scratch*
that cost no less.

In the records `params` holds the change, the part that learns and its steps; `target` is the task
after the change. Each point has its Wilson interval there. Bob is scored on
at most 1,250 test images, evenly chosen from the official ones.
"""


def _in_short(dataset: str, judged: Mapping[str, list[Verdict]]) -> str:
    lines = []
    for shift, rows in judged.items():
        shown = [row.arm for row in rows if _confirmed(row)]
        ahead = [row.arm for row in rows if row.at_cost.low > 0]
        verdict = f"confirmed for {_listed(shown)}" if shown else "not confirmed for any part"
        lines.append(f"- *{shift}*: {verdict}; ahead of scratch at equal cost: {_listed(ahead)}.")
    return f"**In short, {dataset}.**\n\n" + "\n".join(lines) + "\n"


def _listed(arms: list[str]) -> str:
    return ", ".join(arms) if arms else "none"


def _confirmed(row: Verdict) -> bool:
    return row.at_end.low > -MARGIN


def _dataset(
    table: pd.DataFrame, dataset: str, points: pd.DataFrame, judged: Mapping[str, list[Verdict]]
) -> str:
    before = table[
        table["params"].isna() & (table["metric"] == "accuracy") & (table["dataset"] == dataset)
    ]
    sources = "; ".join(
        f"{target}: {_spread(list(rows['value']))}"
        for target, rows in before.groupby("target", sort=False)
    )
    parts = [
        f"\n## {dataset}\n\nAccuracy in percent, mean and standard deviation over "
        f"{points['seed'].nunique()} seeds, {int(points['n'].max()):,} test images each. Before "
        f"any change, where they were trained: {sources}.\n\n"
        f"![Accuracy against steps](steps-{dataset}.svg)\n\n"
        f"![Accuracy against cost](cost-{dataset}.svg)\n"
    ]
    for shift, rows in judged.items():
        mine = where(points, shift=shift)
        steps = sorted(mine["steps"].unique())
        means = [
            [arm, *(_cell(where(mine, arm=arm, steps=step)) for step in steps)]
            for arm in mine["arm"].unique()
        ]
        guessing = _chance(table, dataset, [shift])[shift]
        parts.append(
            f"### {shift}\n\nGuessing gives {100 * guessing:.1f}.\n\n"
            + markdown_table(["learns", *(f"{step} steps" for step in steps)], means)
            + f"\n\nWith at most {100 * SHARE:.0f} % of the cost of starting anew, differences in "
            "points with their 95 % interval:\n\n"
            + markdown_table(_HEADINGS, [_row(row, table, shift) for row in rows])
            + "\n"
        )
    return "\n".join(parts)


def _cell(points: pd.DataFrame) -> str:
    return "–" if points.empty else _spread(list(points["accuracy"]))


_HEADINGS = (
    "learns",
    "weights",
    "cost of a step",
    "steps",
    "cost in all",
    "accuracy",
    "against scratch at equal cost",
    "against the best end of starting anew",
    "claim",
)


def _row(row: Verdict, table: pd.DataFrame, shift: str) -> list[str]:
    of = {"params.shift": shift, "params.part": row.arm}
    weights = where(table, metric="trained_parameters", **of)["value"]
    return [
        row.arm,
        f"{int(weights.iloc[0]):,}",
        f"{100 * row.step_cost:.0f} %",
        str(row.steps),
        f"{100 * row.share:.1f} %",
        _spread(list(row.accuracies)),
        _points(row.at_cost),
        _points(row.at_end),
        "confirmed" if _confirmed(row) else "not confirmed",
    ]


def _spread(values: list[float]) -> str:
    """Mean and standard deviation of rates, in percent."""
    around = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{around}"


def _points(found: Difference) -> str:
    value, low, high = (
        f"{100 * end:+.1f}".replace("-", "−") for end in (found.value, found.low, found.high)
    )
    return f"{value} ({low} to {high})"


STUDY = Study(
    name="adaptation",
    title="Transfer to a new task, images or channel, against starting anew at equal cost",
    jobs=jobs,
    render=in_code(figures, page),
)
