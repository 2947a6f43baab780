"""Reading a run's folder."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from semveil.errors import SemveilError
from semveil.records import Record, read_records

# What numpy lets through from a damaged archive.
_DAMAGE = (
    OSError,
    ValueError,
    EOFError,
    AttributeError,
    TypeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class RunFolder:
    """All that a run left behind."""

    name: str
    records: list[Record]
    about: dict[str, Any] = field(default_factory=dict)
    samples: dict[str, np.ndarray] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


def read_run(folder: Path) -> RunFolder:
    """Read a run's folder; only its records must be there."""
    records = read_records(folder / "records.jsonl")
    if not records:
        raise SemveilError(f"{folder / 'records.jsonl'} holds no records")
    return RunFolder(
        name=folder.resolve().name,
        records=records,
        about=_about(folder / "run.json"),
        samples=_samples(folder / "samples.npz"),
        history=_history(folder / "history.jsonl"),
    )


def _about(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        about = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SemveilError(f"cannot read {path}: {error}") from error
    if not isinstance(about, dict):
        raise SemveilError(f"cannot read {path}: not an object")
    return about


def _samples(path: Path) -> dict[str, np.ndarray]:
    if not path.exists():
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return dict(archive)
    except _DAMAGE as error:
        raise SemveilError(f"cannot read samples {path}: {error}") from error


def _history(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise SemveilError(f"cannot read {path}: {error}") from error
    history = []
    for number, line in enumerate(lines, start=1):
        try:
            step = json.loads(line)
            step["step"]
        except (ValueError, TypeError, KeyError):
            # A run that was killed leaves half a line at the end, and nowhere else.
            if number == len(lines):
                break
            raise SemveilError(f"{path}, line {number}: not a step of training") from None
        history.append(step)
    return history
