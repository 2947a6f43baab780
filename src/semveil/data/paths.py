"""Paths of data sets, and reading their files with one-line errors."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from semveil.errors import SemveilError

ROOT_VARIABLE = "SEMVEIL_DATA"


def data_root(root: Path | None = None) -> Path:
    """Return the folder of the data sets, ``SEMVEIL_DATA`` if None; it need not exist."""
    if root is not None:
        return Path(os.path.expanduser(root))
    if named := os.environ.get(ROOT_VARIABLE):
        return Path(os.path.expanduser(named))
    raise SemveilError(
        f"no data folder: set {ROOT_VARIABLE} to the folder that holds the data sets, "
        "or to an empty one and run 'semveil data fetch NAME'"
    )


def find_files(name: str, root: Path | None, folder: str, files: Sequence[tuple[str, ...]]) -> Path:
    """Return the folder with all files, each under one of its names: ``folder``, or the root."""
    base = data_root(root)
    remedy = f"run 'semveil data fetch {name}'"
    for place in (base / folder, base):
        # Unlike Path.is_file, this treats an inaccessible folder as one without the file.
        missing = [ns[0] for ns in files if not any(os.path.isfile(place / n) for n in ns)]
        if not missing:
            return place
        if len(missing) < len(files):
            raise SemveilError(f"{name}: {place / missing[0]} is missing; {remedy}")
    raise SemveilError(
        f"{name} is not in {base} (no {folder}/); {remedy}, "
        f"or set {ROOT_VARIABLE} to the folder that holds it"
    )


def read_file(path: Path) -> bytes:
    """Return the content of a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SemveilError(f"cannot read {path}: {error.strerror or error}") from error


def verify(path: Path, content: bytes, algorithm: str, expected: str) -> None:
    """Check a file's content against its published digest."""
    # md5 detects damage and is what the CIFAR-10 authors publish; it does not prevent forgery.
    if hashlib.new(algorithm, content, usedforsecurity=False).hexdigest() != expected:
        raise SemveilError(
            f"{path} is not the published file ({algorithm} differs): delete it and fetch it again"
        )
