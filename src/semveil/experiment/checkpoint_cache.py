"""A folder of trained links, by their training; beside each a file says where it came from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.experiment.plan import plan
from semveil.experiment.provenance import code
from semveil.experiment.run import MODEL, Run
from semveil.experiment.training import TrainedNetworks, identity, load
from semveil.facts import CodeFacts, LinkFacts, read_facts
from semveil.files import write_atomic
from semveil.recipe import Recipe
from semveil.records import Asked
from semveil.training.loop import Progress

UNKNOWN = [CodeFacts().model_dump()]
"""The code of links that nothing tells of."""


def kept_links(folder: Path, recipe: Recipe, seed: int, schemes: Sequence[Asked]) -> Path:
    """Return where a folder of trained links keeps those of a training.

    Args:
        folder: The folder.
        recipe: Settings of the training.
        seed: Its seed.
        schemes: What it was asked for; those that use the same links share a file.

    Returns:
        The path of their weights, which need not be there.

    Raises:
        SemveilError: If a scheme is unknown, or its settings do not fit.

    Example:
        >>> from semveil import recipe as recipes
        >>> recipe = Recipe(scheme="deepjscc")
        >>> kept = kept_links(Path("links"), recipe, 0, ["deepjscc"])
        >>> longer = recipes.update(recipe, {"audit": {"max_epochs": 90}})
        >>> kept_links(Path("links"), longer, 0, ["deepjscc"]) == kept  # an audit trains no links
        True
        >>> kept_links(Path("links"), recipe, 1, ["deepjscc"]) == kept
        False
    """
    trained = sorted({system.link.stream for system in plan(schemes, recipe)})
    name = hashlib.sha256(repr((identity(recipe, seed), trained)).encode()).hexdigest()
    return folder / f"{name[:24]}.safetensors"


def keep_links(kept: Path, weights: bytes, origin: dict[str, Any]) -> None:
    """Write trained links, and beside them where they came from.

    Args:
        kept: Where :func:`kept_links` says; its folder is made if missing.
        weights: The file of a run's weights, safetensors.
        origin: ``code``, the states of the code that trained them; for links of the zoo also
            ``entry``, its name and digest.

    Raises:
        SemveilError: If a file cannot be written.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     keep_links(Path(folder) / "a.safetensors", b"", {"code": []})
        ...     sorted(path.name for path in Path(folder).iterdir())
        ['a.json', 'a.safetensors']
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(kept.with_suffix(".json"), json.dumps(origin) + "\n")
    write_atomic(kept, weights)


def train_or_load(
    run: Run, links: Path | None, progress: Progress | None = None
) -> TrainedNetworks:
    """Train a run's links, or load them from a folder of trained links.

    Training is a function of recipe and seed alone, adversarial training too, since its initial
    weights follow from the same recipe.

    Args:
        run: The run; its facts then name the code that trained its links, or their entry.
        links: The folder, to which links that are trained are added; None for none.
        progress: Called with ``(stage, done, in all)``.

    Returns:
        The networks of the run, on its device.

    Raises:
        SemveilError: If the folder cannot be used, or weights in it are of another training.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import torch
        >>> from semveil import recipe as recipes
        >>> from semveil.experiment.training import Hardware
        >>> small = {"data.limit": 200, "link.width": 4, "train.epochs": 1}
        >>> recipe, cpu = recipes.load("deepjscc-digits", small), Hardware(torch.device("cpu"))
        >>> with TemporaryDirectory() as place:
        ...     for name in ("trained", "taken"):
        ...         folder = Path(place) / name
        ...         run = Run.create(folder, "example", recipe, ["deepjscc"], 0, cpu)
        ...         _ = train_or_load(run, Path(place) / "links")
        ...         print(name, (folder / "history.jsonl").exists())
        trained True
        taken False
    """
    if links is None:
        return run.train(progress)
    kept, model = kept_links(links, run.recipe, run.seed, run.schemes), run.folder / MODEL
    origin = kept.with_suffix(".json")
    try:
        if kept.exists() and not model.exists():
            # Old links do not tell.
            told = read_facts(origin, LinkFacts, "") if origin.exists() else {"code": UNKNOWN}
            # Damaged ones are named where they lie, and do not get into the run's folder.
            load(run.untrained(), kept, run.recipe, run.seed)
            _note(run, told)
            write_atomic(model, kept.read_bytes())
        elif not model.exists():
            if not os.access(require_folder(links), os.W_OK | os.X_OK):
                raise SemveilError(f"links: {links} must not be written to: name another folder")
            _note(run, {"code": [code().model_dump()]})
        trained = run.train(progress)
        if not kept.exists():
            keep_links(kept, model.read_bytes(), {"code": run.facts.get("code") or UNKNOWN})
    except OSError as error:
        raise SemveilError(f"cannot use {links}: {error.strerror or error}") from error
    return trained


def require_folder(links: Path) -> Path:
    """Return a folder of trained links, or the one in which it can be made.

    Raises:
        SemveilError: If something else is there.
    """
    whole = links.absolute()
    there = next(place for place in (whole, *whole.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise SemveilError(f"links: {there} is no folder: name another, or remove it")
    return there


def _note(run: Run, origin: dict[str, Any]) -> None:
    """Note where a run's links came from: code that trained them counts for what is measured."""
    known = run.facts.get("code", [])
    run.facts["code"] = [*known, *(state for state in origin.get("code", ()) if state not in known)]
    if origin.get("entry"):
        run.facts["entry"] = origin["entry"]
    run.write_facts()
