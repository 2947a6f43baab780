"""Trained links kept for whoever asks for the same training again."""

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
    run: Run, shelf: Path | None, progress: Progress | None = None
) -> TrainedNetworks:
    """Train a run's links, or take them from a folder in which they lie already.

    A training is a function of its recipe and seed alone, so that what lies there is what would
    come out; of a hardened one too, since what it begins with follows from the same recipe. The
    weights say what they were trained with, and are refused if that is not it.

    Args:
        run: The run; its model is written either way.
        shelf: Folder of trained links; None to train.
        progress: Told how far the training is.

    Raises:
        SemveilError: If training fails, or the folder cannot be read or written.
    """
    if shelf is None:
        return run.train(progress)
    asked = [stream_of(named(each)) for each in run.schemes]
    name = hashlib.sha256(repr((identity(run.recipe, run.seed), asked)).encode()).hexdigest()
    kept, model = shelf / f"{name[:24]}.safetensors", run.folder / MODEL
    try:
        if kept.exists() and not model.exists():
            write_atomic(model, kept.read_bytes())
        trained = run.train(progress)
        if not kept.exists():
            shelf.mkdir(parents=True, exist_ok=True)
            write_atomic(kept, model.read_bytes())
    except OSError as error:
        raise SemveilError(f"cannot use {shelf}: {error.strerror or error}") from error
    return trained
