"""A folder of trained links, by their training; beside each a file says what code trained it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.experiment.plan import stream_of
from semveil.experiment.provenance import code
from semveil.experiment.run import MODEL, Run
from semveil.experiment.training import TrainedNetworks, identity
from semveil.facts import CodeFacts, CodeStates, read_facts
from semveil.files import write_atomic
from semveil.records import named
from semveil.training.loop import Progress

_UNKNOWN = [CodeFacts().model_dump()]


def train_or_load(
    run: Run, links: Path | None, progress: Progress | None = None
) -> TrainedNetworks:
    """Train a run's links, or load them from a folder of trained links.

    Training is a function of recipe and seed alone, adversarial training too, since its initial
    weights follow from the same recipe. Weights whose metadata name another training are refused.
    """
    if links is None:
        return run.train(progress)
    asked = [stream_of(named(each)) for each in run.schemes]
    name = hashlib.sha256(repr((identity(run.recipe, run.seed), asked)).encode()).hexdigest()
    kept, model = links / f"{name[:24]}.safetensors", run.folder / MODEL
    trainers = kept.with_suffix(".json")
    try:
        if kept.exists() and not model.exists():
            # Old links do not tell.
            told = read_facts(trainers, CodeStates, "")["code"] if trainers.exists() else _UNKNOWN
            _note(run, told)
            write_atomic(model, kept.read_bytes())
        elif not model.exists():
            _note(run, [code().model_dump()])
        trained = run.train(progress)
        if not kept.exists():
            links.mkdir(parents=True, exist_ok=True)
            write_atomic(trainers, json.dumps({"code": run.facts.get("code") or _UNKNOWN}) + "\n")
            write_atomic(kept, model.read_bytes())
    except OSError as error:
        raise SemveilError(f"cannot use {links}: {error.strerror or error}") from error
    return trained


def _note(run: Run, states: list[dict[str, Any]]) -> None:
    """Note which code trained a run's links: it counts for what is measured of them."""
    known = run.facts.get("code", [])
    run.facts["code"] = [*known, *(state for state in states if state not in known)]
    run.write_facts()
