"""Reading a run's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from semveil.errors import SemveilError
from semveil.facts import About, ImageFacts, check_facts, read_facts
from semveil.reading import read_regular, require_regular
from semveil.records import Record, read_records


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


def refuse_damage(folder: Path) -> None:
    """Read what a run has left so far, so that damage is told before further work."""
    _about(folder / "run.json")
    _samples(folder / "samples.npz")
    _history(folder / "history.jsonl")
    if (folder / "records.jsonl").exists():
        read_records(folder / "records.jsonl")


def _about(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    about = read_facts(path, About, f"no {path}")
    # Scores of the leaderboard state a digest of their images.
    if isinstance(images := about.get("images"), dict):
        check_facts(images, ImageFacts, path)
    if styles := about.get("styles"):
        _refuse_looks(styles, path)
    return about


def _refuse_looks(styles: dict[str, dict[str, list[Any]]], path: Path) -> None:
    from matplotlib.colors import is_color_like
    from matplotlib.markers import MarkerStyle

    for kind, named in styles.items():
        for name, (colour, marker, order) in named.items():
            if not is_color_like(colour) or marker not in MarkerStyle.markers:
                raise SemveilError(f"{path} is damaged: styles.{kind}.{name}: not drawn that way")
            if not isinstance(order, int):
                raise SemveilError(f"{path} is damaged: styles.{kind}.{name}: no place in an order")


def _samples(path: Path) -> dict[str, np.ndarray]:
    return read_samples(path) if path.exists() else {}


def read_samples(path: Path, *needed: str) -> dict[str, np.ndarray]:
    """Read the arrays for pictures, at least those that are needed.

    Raises:
        SemveilError: If they cannot be read, or have other shapes or types; see
            :class:`semveil.result.Result`.
    """
    try:
        require_regular(path)
        with np.load(path, allow_pickle=False) as archive:
            samples = dict(archive)
    # A damaged archive gets numpy, zipfile and zlib to raise nearly anything.
    except Exception as error:
        reason = " ".join(str(error)[:200].split())
        raise SemveilError(f"cannot read samples {path}: {reason}") from None
    for key in needed:
        if key not in samples:
            raise SemveilError(f"cannot read samples {path}: there are no {key}")
    shape = samples["originals"].shape if "originals" in samples else ()
    for key, array in samples.items():
        if wrong := _wrong(key, array, shape):
            raise SemveilError(f"cannot read samples {path}: {key[:80]}: {wrong}")
    return samples


def _wrong(key: str, array: object, shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with one array beside originals of some shape, ``()`` without any."""
    if not isinstance(array, np.ndarray):
        return "not an array"
    kind = key.partition("/")[0]
    if kind == "waveform":
        fits = array.ndim == 1 and array.dtype.kind in "fc" and bool(np.isfinite(array).all())
        return None if fits else "not finite complex numbers [M]"
    if kind == "labels":
        fits = array.ndim == 1 and array.dtype.kind in "iu" and shape[:1] in ((), array.shape)
        return None if fits else "not one class per image"
    if kind in ("originals", "bob", "eve"):
        fits = array.ndim == 4 and array.dtype == np.uint8 and array.shape[1] in (1, 3)
        if not fits or 0 in array.shape[1:]:
            return "not images uint8 [N, C, H, W] of 1 or 3 channels"
        if shape and (array.shape[1:] != shape[1:] or (shape[0] and not len(array))):
            return "not of the originals' shape"
    return None


def _is_step(line: object) -> bool:
    if not isinstance(line, dict) or type(line.get("step")) is not int:
        return False
    numbers = [value for value in line.values() if isinstance(value, int)]
    plain = all(value is None or isinstance(value, int | float | str) for value in line.values())
    # A number that no float holds cannot be drawn.
    return plain and all(abs(number) < 1 << 53 for number in numbers)


def _history(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    try:
        lines = read_regular(path).decode().splitlines()
    except (OSError, ValueError) as error:
        raise SemveilError(f"cannot read {path}: {error}") from error
    history = []
    for number, line in enumerate(lines, start=1):
        try:
            step = json.loads(line)
        except (ValueError, RecursionError):
            # A run that was killed leaves half a line at the end, and nowhere else.
            if number == len(lines):
                break
            raise SemveilError(f"{path}, line {number}: not a step of training") from None
        if not _is_step(step):
            raise SemveilError(f"{path}, line {number}: not a step of training")
        history.append(step)
    return history
