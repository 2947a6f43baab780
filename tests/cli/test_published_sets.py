"""The recipes for MNIST and CIFAR-10, where the images are on the machine."""

from __future__ import annotations

import os

import pytest

from commands import scraps, succeed
from semveil.records import read_records

pytestmark = [
    pytest.mark.dataset,
    pytest.mark.skipif("SEMVEIL_DATA" not in os.environ, reason="SEMVEIL_DATA is not set"),
]

LIGHT = [
    f"--set={setting}"
    for setting in (
        "data.limit=1500",
        "link.width=8",
        "train.epochs=3",
        "train.batch=128",
        "privacy.pretrain_epochs=1",
        "privacy.polish_epochs=1",
        "audit.inference=[linear]",
        "audit.inversion=[linear]",
        "audit.max_epochs=2",
        "audit.rounds=1",
        "audit.bob_snr_db=[10]",
        "audit.eve_snr_db=[10]",
    )
]


@pytest.mark.parametrize(
    ("dataset", "classes", "ratio"), [("mnist", 10, 16 / 784), ("cifar10", 10, 64 / 3072)]
)
def test_the_recipe_of_the_game(semveil, tmp_path, dataset, classes, ratio):
    words = ("run", f"minmax-{dataset}", *LIGHT, "--data", os.environ["SEMVEIL_DATA"])
    succeed(semveil(*words, "--out", "run", folder=tmp_path))
    records = read_records(tmp_path / "run" / "records.jsonl")
    assert {record.scheme for record in records} == {"multitask", "minmax"}
    assert {record.dataset for record in records} == {dataset}
    assert {record.bandwidth_ratio for record in records} == {ratio}
    for record in records:
        if record.metric == "accuracy":
            assert record.n == 10000
            assert record.value > 0.5 / classes
    assert (tmp_path / "run" / "report.html").is_file()
    assert scraps(tmp_path / "run") == []
