"""Entries of the leaderboard as somebody outside makes them, and as a forger changes them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from commands import CommandLine, succeed

SMALL = ["link.width=4", "train.epochs=4", "train.batch=32"]


def train_and_add(
    semveil: CommandLine, place: Path, board: Path, recipe: str, *changes: str
) -> Path:
    """Train a link, pack it and enter it, as somebody outside would; return its entry."""
    run, name = place / recipe, f"digits/my-{recipe.removesuffix('-digits')}"
    settings = [f"--set={change}" for change in (*SMALL, *changes)]
    succeed(semveil("train", recipe, *settings, "--out", run))
    pack = ("zoo", "pack", run, name, "--out", place / "zoo", "--weights", "float32", "--no-eve")
    succeed(semveil(*pack))
    add = ("leaderboard", "add", place / "zoo" / name, "--board", board, "--author", "A. Stranger")
    succeed(semveil(*add))
    return board / name.replace("/", "-")


def restate(entry: Path, **changes: Any) -> None:
    """Change keys of an ``entry.yaml``; a key that is ... is left out."""
    path = entry / "entry.yaml"
    stated = yaml.safe_load(path.read_text()) | changes
    kept = {key: value for key, value in stated.items() if value is not ...}
    path.write_text(yaml.safe_dump(kept))


def state_model(entry: Path) -> None:
    """State the digest of an entry's model anew, as a forger would."""
    body = (entry / "model" / "config.json").read_bytes()
    restate(entry, model={"sha256": hashlib.sha256(body).hexdigest()})
