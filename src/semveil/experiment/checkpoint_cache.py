"""A folder of trained links, by their training."""

from __future__ import annotations

import hashlib
from pathlib import Path

from semveil.errors import SemveilError
from semveil.experiment.plan import stream_of
from semveil.experiment.run import MODEL, Run
from semveil.experiment.training import TrainedNetworks, identity
from semveil.files import write_atomic
from semveil.records import named
from semveil.training.loop import Progress


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
    try:
        if kept.exists() and not model.exists():
            write_atomic(model, kept.read_bytes())
        trained = run.train(progress)
        if not kept.exists():
            links.mkdir(parents=True, exist_ok=True)
            write_atomic(kept, model.read_bytes())
    except OSError as error:
        raise SemveilError(f"cannot use {links}: {error.strerror or error}") from error
    return trained
