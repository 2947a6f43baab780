"""Adaptation: the measurement, learning curves, and their comparison at equal cost."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from semveil.metrics.intervals import exact
from semveil.papers.values import paired
from semveil.papers.work.seeds import spread
from semveil.records import Estimate, named
from semveil.report.select import where

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from semveil.experiment.jobs import Job, JobContext

# "Without extensive retraining", as the claim is judged: a share of the cost of starting anew.
SHARE = 0.1
ANEW = ("scratch", "retrained")


def adapt(folder: Path, job: Job, means: JobContext) -> None:
    """Train the links of a seed, adapt them and measure: the work of the jobs."""
    from semveil.experiment.adaptation import Adaptation
    from semveil.experiment.jobs import read_images, write_results

    started = time.monotonic()
    splits = means.splits or read_images(job, means)
    links = folder / "links"
    adaptation = Adaptation(
        means.study,
        named(job.schemes[0]).scheme,
        job.recipe,
        splits,
        job.seed,
        means.hardware,
        links,
        means.progress,
    )
    records = list(adaptation.records())
    shutil.rmtree(links)
    write_results(folder, job, means, records, started)


def learning_curves(rows: pd.DataFrame, against: Literal["steps", "flops"]) -> Figure:
    """Draw accuracy of one data set against steps, or against what they cost."""
    from semveil.report.figures import adaptation as figures

    chance = where(rows, metric="chance").groupby("params.shift")["value"].mean()
    guessed = {str(shift): float(rate) for shift, rate in chance.items()}
    return figures.learning_curves(curves(rows), guessed, against)


def curves(table: pd.DataFrame) -> pd.DataFrame:
    """Return the points of all learning curves."""
    points = table.rename(
        columns={"params.shift": "shift", "params.part": "arm", "params.steps": "steps"}
    )
    points = points[points["steps"].notna()].astype({"steps": int})
    keys = ["dataset", "shift", "arm", "steps", "seed"]
    rated = points[points["metric"] == "accuracy"].rename(columns={"value": "accuracy"})
    spent = points[points["metric"] == "training_flops"].rename(columns={"value": "flops"})
    rated = rated[[*keys, "accuracy", "ci_low", "ci_high", "n"]]
    return rated.merge(spent[[*keys, "flops"]], on=keys, how="left", validate="one_to_one")


def stop(arm: pd.DataFrame, anew: pd.DataFrame) -> pd.DataFrame:
    """Return an arm's points at its last stop within the share of the cost of starting anew."""
    mine = curves(arm)
    within = mine[mine["flops"] <= SHARE * _cost(best_end(anew))]
    return where(mine, steps=within["steps"].max())


def best_end(anew: pd.DataFrame) -> pd.DataFrame:
    """Return the last points of whichever arm ends higher: the best that starting anew gives."""
    points = curves(anew)
    last = where(points, steps=points["steps"].max())
    means = last.groupby("arm", sort=False)["accuracy"].mean()
    return where(last, arm=means.idxmax())


def _cost(points: pd.DataFrame) -> float:
    return float(points["flops"].iloc[0])


def _difference(arm: pd.DataFrame, other: pd.DataFrame, tests: int) -> Estimate:
    """Return how far accuracies lie above others, paired by seed."""
    # Seeds share test images, training images and the channel's draws between the arms.
    gaps = arm.set_index("seed")["accuracy"] - other.set_index("seed")["accuracy"]
    return paired(list(gaps), tests)


def at_equal_cost(arm: pd.DataFrame, anew: pd.DataFrame, tests: int = 1) -> Estimate:
    """Return the difference at the last stop to the first stop of *scratch* that cost no less."""
    then, scratch = stop(arm, anew), where(curves(anew), arm=ANEW[0])
    dearer = scratch.loc[scratch["flops"] >= _cost(then), "steps"].min()
    return _difference(then, where(scratch, steps=dearer), tests)


def at_best_end(arm: pd.DataFrame, anew: pd.DataFrame, tests: int = 1) -> Estimate:
    """Return the difference at the last stop to the best end of starting anew."""
    return _difference(stop(arm, anew), best_end(anew), tests)


def steps(arm: pd.DataFrame, anew: pd.DataFrame) -> Estimate:
    """Return the steps to the last stop."""
    return exact(float(stop(arm, anew)["steps"].iloc[0]))


def share(arm: pd.DataFrame, anew: pd.DataFrame) -> Estimate:
    """Return the cost up to the last stop over all that starting anew costs."""
    return exact(_cost(stop(arm, anew)) / _cost(best_end(anew)))


def step_cost(arm: pd.DataFrame, anew: pd.DataFrame) -> Estimate:
    """Return the cost of an arm's steps over that of the steps of starting anew."""
    points = curves(arm)
    last = where(points, steps=curves(anew)["steps"].max())
    return exact(_cost(last) / _cost(best_end(anew)))


def accuracy(arm: pd.DataFrame, anew: pd.DataFrame) -> Estimate:
    """Return mean and standard deviation over the seeds at the last stop."""
    return spread(list(stop(arm, anew)["accuracy"]))
