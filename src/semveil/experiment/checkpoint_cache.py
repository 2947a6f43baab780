"""A folder of trained links, by their training; beside each a file says where it came from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.experiment.plan import plan
from semveil.experiment.provenance import code
from semveil.experiment.run import MODEL, Run
from semveil.experiment.training import TrainedNetworks, identity
from semveil.facts import CodeFacts, LinkFacts, read_facts
from semveil.files import write_atomic
from semveil.recipe import Recipe
from semveil.records import Asked
from semveil.training.loop import Progress

_UNKNOWN = [CodeFacts().model_dump()]


def kept_links(folder: Path, recipe: Recipe, seed: int, schemes: Sequence[Asked]) -> Path:
    """Return where a folder of trained links keeps those of a training.

    Args:
        folder: The folder.
        recipe: Settings of the training.
        seed: Its seed.
        schemes: What it was asked for; those that use the same links share a file.
    """
    trained = sorted({system.link.stream for system in plan(schemes, recipe)})
    name = hashlib.sha256(repr((identity(recipe, seed), trained)).encode()).hexdigest()
    return folder / f"{name[:24]}.safetensors"


def keep_links(kept: Path, weights: bytes, origin: dict[str, Any]) -> None:
    """Write trained links, and where they came from: ``code``, or an ``entry`` of the zoo."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(kept.with_suffix(".json"), json.dumps(origin) + "\n")
    write_atomic(kept, weights)


def train_or_load(
    run: Run, links: Path | None, progress: Progress | None = None
) -> TrainedNetworks:
    """Train a run's links, or load them from a folder of trained links.

    Training is a function of recipe and seed alone, adversarial training too, since its initial
    weights follow from the same recipe. Weights whose metadata name another training are refused.
    """
    if links is None:
        return run.train(progress)
    kept, model = kept_links(links, run.recipe, run.seed, run.schemes), run.folder / MODEL
    origin = kept.with_suffix(".json")
    try:
        if kept.exists() and not model.exists():
            # Old links do not tell.
            told = read_facts(origin, LinkFacts, "") if origin.exists() else {"code": _UNKNOWN}
            _note(run, told)
            write_atomic(model, kept.read_bytes())
        elif not model.exists():
            _note(run, {"code": [code().model_dump()]})
        trained = run.train(progress)
        if not kept.exists():
            keep_links(kept, model.read_bytes(), {"code": run.facts.get("code") or _UNKNOWN})
    except OSError as error:
        raise SemveilError(f"cannot use {links}: {error.strerror or error}") from error
    return trained


def _note(run: Run, origin: dict[str, Any]) -> None:
    """Note where a run's links came from: code that trained them counts for what is measured."""
    known = run.facts.get("code", [])
    run.facts["code"] = [*known, *(state for state in origin.get("code", ()) if state not in known)]
    if origin.get("entry"):
        run.facts["entry"] = origin["entry"]
    run.write_facts()
