"""The study of faces: verdicts follow the records, and nobody's face is handed on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.stats import ttest_1samp

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.jobs import JobContext
from semveil.experiment.training import Hardware
from semveil.protect.laplace import DpConfig
from semveil.records import Record
from semveil.report.figures.style import save
from semveil.report.select import frame
from semveil.studies import base, execute, jobs
from semveil.studies.base import nested
from semveil.studies.face_claims import claims
from semveil.studies.face_records import ATTRIBUTES, DP, Faces, interval
from semveil.studies.faces import STUDY, pictures

CPU = Hardware(torch.device("cpu"))
RESULTS = Path(__file__).parents[2] / "results"
RASTER = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".npz", ".safetensors"}
SYSTEMS = ("deepjscc", "shuffle", "shuffle (fixed-key)", "ibal", "lbvq", *DP)


def faces(lead: float, spread: float, eve: float = 0.6, leak: float = 1.0) -> Faces:
    """Make records in which LBVQ is ahead by ``lead``; seeds differ by ``spread``."""
    found = []
    for attribute in ATTRIBUTES:
        for system in SYSTEMS:
            scheme, _, epsilon = system.partition(", ε = ")
            scheme, _, variant = scheme.partition(" ")
            params = {"task": attribute, **({"epsilon": float(epsilon)} if epsilon else {})}
            for seed in range(4):
                shared = {"scheme": scheme, "variant": variant.strip("()") or None}
                shared |= {"params": params, "dataset": "celeba", "channel": "awgn/perfect"}
                shared |= {"test_snr_db": 12.0, "latent_dim": 128, "n": 659, "seed": seed}
                rate = 0.8 + (lead if system == "lbvq" else 0.0)
                # A deviation that differs between systems, or differences would be exact.
                rate += spread * (seed if system == "lbvq" else seed % 2)
                hers = eve if system == "ibal" else 0.6
                made = [
                    ("bob", "accuracy", "label", rate),
                    ("bob", "balanced_accuracy", "label", rate - 0.1),
                    ("eve", "accuracy", "Male", hers + 0.1),
                    ("eve", "balanced_accuracy", "Male", hers + 0.001 * (seed % 2)),
                    ("system", "chance", "label", 0.9),
                    ("system", "chance", "Male", 0.76),
                ]
                if seed == 0 and attribute == "Smiling":
                    shares = {"ibal": leak, DP[0]: 1.2, DP[1]: 1.4, DP[2]: 1.6}
                    made.append(("eve", "mi_bits_20", "image", shares.get(system, 1.8)))
                    made.append(("system", "mi_bits_20_floor", "image", 0.3))
                for role, metric, target, value in made:
                    whose = {"role": role, "metric": metric, "target": target, "value": value}
                    if role == "eve":
                        whose |= {"protocol": "adaptive", "adversary": "any"}
                    found.append(
                        Record(**shared, **whose, ci_low=value - 0.02, ci_high=value + 0.02)
                    )
    return Faces(frame(found))


def said(records: Faces, start: str) -> str:
    return next(claim for claim in claims(records) if claim.startswith(f"**{start}"))


def test_the_interval_of_paired_differences_is_students() -> None:
    values = [0.02, 0.05, -0.01, 0.03, 0.04]
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert interval([0.1]).low == -math.inf


@pytest.mark.parametrize(
    ("lead", "word"), [(0.1, "confirmed"), (-0.1, "contradicted"), (0.0, "not shown")]
)
def test_the_best_scheme_is_the_one_whose_lead_is_sure(lead: float, word: str) -> None:
    claim = said(faces(lead, 0.004 if lead else 0.02), "LBVQ has the best accuracy")
    verdicts = [line.split("|")[-2].strip() for line in claim.splitlines()[4:]]
    assert len(verdicts) == 2 * len(ATTRIBUTES)
    assert set(verdicts) == {word}


def test_a_small_loss_is_a_loss_but_not_of_five_points() -> None:
    claim = said(faces(0.03, 0.001), "DP and Encryption lose")
    assert claim.count("contradicted; a loss: confirmed") == 8


def test_the_deviation_is_measured_over_seeds() -> None:
    assert "0 of 24 cells: contradicted" in said(faces(0.1, 0.004), "The standard deviation")
    assert "24 of 24 cells: confirmed" in said(faces(0.1, 0.0), "The standard deviation")
    records = faces(0.1, 0.004)
    expected = 100 * np.std([0.8, 0.804, 0.8, 0.804], ddof=1)
    found = records.bob("ibal", "Smiling", "accuracy").deviation
    assert found is not None
    assert 100 * found == pytest.approx(expected)


def test_the_majority_rate_stands_beside() -> None:
    claim = said(faces(0.15, 0.0), "What the accuracies are worth")
    assert "Mustache: the most frequent class has 90.0 %" in claim
    assert "7 of 8 systems are not above it for sure" in claim
    assert "published are 75.0 to 85.3 %, of which 0 of 6 are above it" in claim


def test_leakage_claims_follow_the_intervals() -> None:
    assert "ibal leaks 1.00 bits, less than 4 and more than 0" in said(
        faces(0, 0, leak=1.0), "Eve's images"
    )
    assert "ibal leaks 1.21 bits, less than 3 and more than 0" in said(
        faces(0, 0, leak=1.21), "Eve's images"
    )
    assert "bits: confirmed" in said(faces(0, 0), "The more Laplace noise")


@pytest.mark.parametrize(("eve", "word"), [(0.5, "confirmed"), (0.7, "contradicted")])
def test_gender_is_hidden_where_eve_loses(eve: float, word: str) -> None:
    assert f": {word}." in said(faces(0, 0, eve=eve), "IBAL hides gender")


def test_faces_are_drawn_beside_and_named_nowhere_on_the_page(tmp_path: Path) -> None:
    job = STUDY.jobs("smoke", 0)[0]
    changes = {"audit.leakage": True, "audit.pictures": 2, "train.batch": 128, "data.limit": 200}
    quick = replace(job, recipe=recipes.update(job.recipe, nested(changes)), schemes=("deepjscc",))
    jobs.run_job(tmp_path / quick.name, quick, JobContext("faces", CPU))
    drawn = pictures(tmp_path, [quick])
    assert list(drawn) == ["faces-digit.png"]
    figure = drawn["faces-digit.png"]
    words = [text.get_text() for place in figure.axes for text in place.texts]
    assert "deepjscc\nEve, MI " in words[1]
    save(figure, tmp_path / "faces-digit.png")
    with Image.open(tmp_path / "faces-digit.png") as image:
        assert image.size[0] > 100
    # One row for the originals, one for what Eve made of them, and each shows something.
    assert [place.images[0].get_array().std() > 0 for place in figure.axes] == [True] * 4


def test_results_hold_no_picture_of_anybody() -> None:
    kept = [path for path in RESULTS.rglob("*") if path.is_file()]
    raster = [path.name for path in kept if path.suffix.lower() in RASTER]
    # A few pictures of CIFAR-10 may be shown; of faces and photos none.
    assert raster == ["case-cifar10.png"]
    for path in (RESULTS / "faces").glob("*.svg"):
        assert "<image" not in path.read_text()
    ignored = (RESULTS.parent / ".gitignore").read_text().split()
    assert {"faces-*.png", "results/*/jobs/"} <= set(ignored)


def test_without_the_faces_the_study_says_where_to_get_them(tmp_path: Path) -> None:
    study = base.get("faces")
    with pytest.raises(SemveilError, match=r"celeba is not in .*agree to its terms") as caught:
        execute.check(study, "cpu", 0, CPU, tmp_path)
    assert "\n" not in str(caught.value)


def test_every_budget_asks_for_all_links_and_recipes_are_whole() -> None:
    for budget, seeds in (("cpu", 2), ("full", 5)):
        made = STUDY.jobs(budget, 3)
        assert len({job.name for job in made}) == len(made) == 3 * seeds * 5
        assert {job.seed for job in made} == set(range(3, 3 + seeds))
        asked = {(job.recipe.data.target, job.recipe.data.private) for job in made}
        assert asked == {(attribute, "Male") for attribute in ATTRIBUTES}
        noise = {job.recipe.of(DpConfig).epsilon for job in made if job.schemes == ("dp",)}
        assert noise == {0.05, 0.1, 0.9}
        assert {job.recipe.bob.snr_db for job in made} == {12.0}
        assert {job.recipe.bob.fading for job in made} == {"awgn"}
        inverted = {job.params["task"] for job in made if job.recipe.audit.leakage}
        assert inverted == ({"Smiling"} if budget == "cpu" else set(ATTRIBUTES))


def test_the_page_of_one_seed_has_no_deviation() -> None:
    every = faces(0.1, 0.0).table
    one = Faces(pd.DataFrame(every[every["seed"] == 0]))
    assert one.bob("ibal", "Smiling", "accuracy").deviation is None
    assert "One seed was run: not tested" in said(one, "The standard deviation")
