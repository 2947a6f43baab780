"""Training of a run, and what its folder says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from semveil import data
from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.plan import requested, with_reference
from semveil.experiment.run import Run
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


def test_a_run_whose_schemes_have_protections_is_opened_and_an_older_one_is_refused(
    tmp_path: Path,
) -> None:
    cpu = Hardware(torch.device("cpu"))
    recipe = recipes.load("ibal-digits", ["data.limit=200", "protections=[rotation]"])
    asked = with_reference(requested(recipe))
    Run.create(tmp_path / "run", "ibal-digits", recipe, asked, 0, cpu)
    assert Run.open(tmp_path / "run", cpu).schemes == asked
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    older = json.dumps(facts | {"version": "0.0.1", "schemes": ["deepjscc", "ibal+rotation"]})
    (tmp_path / "run" / "run.json").write_text(older)
    with pytest.raises(SemveilError, match=r"run\.json: .*; it was written by semveil 0\.0\.1"):
        Run.open(tmp_path / "run", cpu)
