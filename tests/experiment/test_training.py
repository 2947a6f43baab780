"""Training of a run: everything drawn hangs on the seed alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from semveil import data
from semveil import recipe as recipes
from semveil.experiment.training import Hardware, train


@pytest.mark.parametrize("method", ["semmixed", "at-pgd"])
def test_an_adversarial_training_hangs_on_its_seed_alone(tmp_path: Path, method: str) -> None:
    changes = ["data.limit=200", "train.epochs=1", "harden.epochs=1", "harden.steps=1"]
    recipe = recipes.load("mobilesc-digits", [*changes, f"harden.method={method}"])
    splits = data.load("digits", seed=0, limit=200)
    weights = []
    for other in (1, 2):
        # What a new process draws by itself must not matter.
        torch.manual_seed(other)
        folder = tmp_path / str(other)
        folder.mkdir()
        cpu = Hardware(torch.device("cpu"))
        trained, _ = train(["mobilesc"], recipe, splits, 0, folder, cpu, None)
        weights.append(torch.cat([p.flatten() for p in trained.parameters()]))
    assert torch.equal(*weights)
