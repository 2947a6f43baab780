"""The study of adaptation from images to page, small; its curves and their comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from scipy import stats

from semveil import recipe as recipes
from semveil.experiment.adaptation import Adaptation
from semveil.experiment.jobs import Job, JobContext, read_images, run_job
from semveil.experiment.training import Hardware
from semveil.papers import PAPERS, execute
from semveil.papers.work import adaptation
from semveil.papers.work.adaptation import curves
from semveil.records import Record, read_records
from semveil.report.select import frame, where
from semveil.training.shift import SHIFTS
from semveil.training.transfer import PARTS

CPU = Hardware(torch.device("cpu"))
PAPER = PAPERS.get("adaptation")
SMALL = recipes.update(
    PAPER().jobs("smoke", 0)[0].recipe,
    {"data": {"limit": 320}, "link": {"width": 4}, "train": {"batch": 16, "epochs": 2}},
)


class Small(PAPER):  # type: ignore[valid-type, misc]
    """The study with so little to do that its jobs take a second or two."""

    def jobs(self, budget: str, seed: int) -> list[Job]:
        return [replace(job, recipe=SMALL) for job in super().jobs("smoke", seed)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the study; not to be changed."""
    folder = tmp_path_factory.mktemp("study") / "adaptation"
    study = Small()
    execute.check(study, "smoke", 0, CPU, None)
    execute.start(folder, study, "smoke", 0)
    execute.execute(folder, study, CPU)
    return folder


@pytest.fixture(scope="module")
def points(folder: Path) -> pd.DataFrame:
    return curves(frame(read_records(folder / "records.jsonl")))


@pytest.mark.slow
def test_every_change_and_arm_is_measured_with_every_seed(points: pd.DataFrame) -> None:
    assert points.groupby(["shift", "arm", "steps"]).size().eq(2).all()
    assert list(points["shift"].unique()) == list(SHIFTS)
    for _, found in points.groupby(["shift", "seed"]):
        assert list(found["arm"].unique()) == [*PARTS, "scratch", "retrained"]
    # 104 images in batches of 16, twice: 12 steps.
    assert set(points["steps"]) == {0, 10}


@pytest.mark.slow
def test_adaptation_starts_from_the_link_and_starting_anew_does_not(points: pd.DataFrame) -> None:
    start = points[points["steps"] == 0]
    apart = []
    for (shift, _), found in start.groupby(["shift", "seed"]):
        adapted = found[found["arm"] != "scratch"]
        assert adapted["accuracy"].nunique() == 1
        if shift in ("fading", "noise"):
            scratch = float(where(found, arm="scratch")["accuracy"].iloc[0])
            apart.append(scratch != float(adapted["accuracy"].iloc[0]))
    # One hardly trained link may name a single class, as a fresh one may; not all of them.
    assert any(apart)
    assert (start["flops"] == 0).all()


@pytest.mark.slow
def test_costs_are_ordered_as_the_parts_are(points: pd.DataFrame) -> None:
    end = where(points, steps=10, seed=0)
    for _, found in end.groupby("shift"):
        cost = found.set_index("arm")["flops"]
        assert 0 < cost["head"] < cost["bob"] < cost["alice"] < cost["all"]
        assert cost["all"] == cost["scratch"] == cost["retrained"]


@pytest.mark.slow
def test_records_say_what_they_are_of(folder: Path) -> None:
    table = frame(read_records(folder / "records.jsonl"))
    rated = table[table["metric"] == "accuracy"]
    assert ((rated["ci_low"] <= rated["value"]) & (rated["value"] <= rated["ci_high"])).all()
    assert (rated["role"] == "bob").all()
    of = {
        shift: where(
            rated, **{"params.shift": shift, "params.part": "all", "params.steps": 10}
        ).iloc[0]
        for shift in SHIFTS
    }
    assert (of["coarser"]["target"], of["finer"]["target"]) == ("parity", "label")
    assert set(table["dataset"]) == {"digits"}
    assert of["fading"]["channel"] == "rayleigh/perfect"
    assert of["noise"]["test_snr_db"] == 2.0


@pytest.mark.slow
def test_the_page_judges_every_change(folder: Path) -> None:
    page = (folder / "README.md").read_text()
    for shift in SHIFTS:
        assert f"### digits, {shift}\n" in page
        assert page.count(f"| digits | {shift} | **") == 2
    assert "nan" not in page
    for name in ("steps-digits.svg", "cost-digits.svg"):
        assert f"({name})" in page
        assert (folder / name).stat().st_size > 5000


@pytest.mark.slow
def test_a_seed_that_was_interrupted_ends_at_the_same_records(folder: Path, tmp_path: Path) -> None:
    job = Small().jobs("smoke", 0)[1]
    means = JobContext("adaptation", CPU)
    images = read_images(job, means)
    begun = Adaptation(
        "adaptation", "deepjscc", SMALL, images, job.seed, CPU, tmp_path / job.name / "links"
    ).records()
    # One link is trained and lies in the folder, the other is not.
    next(begun)
    assert list((tmp_path / job.name / "links").iterdir())
    run_job(tmp_path / job.name, job, replace(means, splits=images))
    assert not (tmp_path / job.name / "links").exists()
    one, other = (f / job.name / "records.jsonl" for f in (tmp_path, folder / "jobs"))
    assert one.read_bytes() == other.read_bytes()


SEEDS = (0, 1, 2)


def arm(name: str, cost: float, accuracies: dict[int, tuple[float, ...]]) -> pd.DataFrame:
    """Return the records of an arm by its steps, one accuracy per seed."""
    return frame(
        [
            Record(
                scheme="deepjscc", dataset="mnist", channel="awgn/perfect", role="bob", n=100,
                params={"shift": "x", "part": name, "steps": steps}, seed=seed, metric=metric,
                value=value,
            )
            for steps, row in accuracies.items()
            for seed, accuracy in zip(SEEDS, row, strict=True)
            for metric, value in (("accuracy", accuracy), ("training_flops", steps * cost))
        ]
    )  # fmt: skip


BOB = arm("bob", 1.0, {0: (0.5,) * 3, 10: (0.90, 0.91, 0.92), 100: (0.95,) * 3})
ALL = arm("all", 4.0, {0: (0.5,) * 3, 10: (0.7, 0.6, 0.5), 100: (0.99,) * 3})
SCRATCH = arm("scratch", 4.0, {0: (0.1,) * 3, 10: (0.2, 0.3, 0.1), 100: (0.91,) * 3})
ANEW = pd.concat([SCRATCH, arm("retrained", 4.0, {100: (0.92, 0.91, 0.93)})])


def test_an_arm_is_compared_at_no_more_than_its_share_of_the_cost() -> None:
    # A tenth of 400 is 40: Bob's ten steps cost 10, his hundred too much; all's ten exactly 40.
    assert adaptation.steps(BOB, ANEW).value == adaptation.steps(ALL, ANEW).value == 10
    assert adaptation.share(BOB, ANEW).value == pytest.approx(0.025)
    assert adaptation.share(ALL, ANEW).value == pytest.approx(0.1)
    assert adaptation.step_cost(BOB, ANEW).value == pytest.approx(0.25)
    found = adaptation.accuracy(BOB, ANEW)
    assert (found.value, found.high - found.value) == pytest.approx((0.91, 0.01))
    # What costs scratch no less than 10 is its ten steps; at its end the falling rate is better.
    assert adaptation.at_equal_cost(BOB, ANEW).value == pytest.approx(0.71)
    assert adaptation.at_equal_cost(ALL, ANEW).value == pytest.approx(0.4)
    found, expected = (
        adaptation.at_best_end(BOB, ANEW),
        stats.ttest_rel((0.90, 0.91, 0.92), (0.92, 0.91, 0.93)).confidence_interval(0.95),
    )
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_starting_anew_counts_at_its_best_end() -> None:
    worse = pd.concat([SCRATCH, arm("retrained", 4.0, {100: (0.5,) * 3})])
    assert adaptation.at_best_end(BOB, worse).value == pytest.approx(0.0)


def test_curves_are_read_from_records_alone() -> None:
    def record(params: dict[str, Any], metric: str, value: float) -> Record:
        return Record(
            scheme="deepjscc", params=params or None, dataset="mnist", channel="awgn/perfect",
            role="bob", metric=metric, value=value, n=100, seed=7,
        )  # fmt: skip

    bob, both = ({"shift": "turned", "part": part} for part in ("bob", "all"))

    table = frame(
        [
            record({}, "accuracy", 0.99),
            record({"shift": "turned"}, "chance", 0.1),
            record(bob, "trained_parameters", 50),
            record({**bob, "steps": 10}, "accuracy", 0.8),
            record({**bob, "steps": 10}, "training_flops", 1e6),
            record({**both, "steps": 0}, "accuracy", 0.2),
            record({**both, "steps": 0}, "training_flops", 0),
        ]
    )
    found = curves(table)
    keys = ["dataset", "shift", "arm", "steps", "seed", "accuracy", "flops"]
    assert found[keys].values.tolist() == [
        ["mnist", "turned", "bob", 10, 7, 0.8, 1e6],
        ["mnist", "turned", "all", 0, 7, 0.2, 0.0],
    ]
