"""A new run whose links begin with another's weights and are trained against attacks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.plan import requested
from semveil.experiment.run import MODEL, Run
from semveil.experiment.training import BASE, load


def harden(run: Run, changes: Mapping[str, Any], folder: Path) -> Run:
    """Start a run that continues another one by adversarial training."""
    run.require_trained()
    if run.recipe.harden.method != "none":
        raise SemveilError(
            f"{run.folder} is adversarially trained already, by {run.recipe.harden.method}: name "
            "the run that it began with"
        )
    recipe = recipes.update(run.recipe, changes)
    model = run.folder / MODEL
    # Damage is told before there is a folder.
    load(run.untrained(), model, run.recipe, run.seed)
    try:
        weights = model.read_bytes()
    except OSError as error:
        raise SemveilError(f"cannot read {model}: {error.strerror or error}") from None
    return Run.create(
        folder,
        run.study,
        recipe,
        [requested(recipe)],
        run.seed,
        run.hardware,
        run.root,
        files={BASE: weights},
        facts={
            "began_with": os.path.relpath(run.folder, folder),
            # The weights cost what both trainings cost.
            "train_cpu_s": run.facts.get("train_cpu_s", 0.0),
        },
    )
