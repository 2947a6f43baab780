"""Folders that commands make, go on with and leave interrupted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def unused(wanted: Path) -> Path:
    """Return the first of FOLDER, FOLDER-2, … that is not there yet."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def beside(folder: Path, note: str) -> Path:
    """Return the folder beside another, whatever dots the other was named by."""
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.with_name(f"{folder.name}-{note}")


@contextmanager
def resumable(folder: Path, command: str) -> Iterator[None]:
    """Say how to go on when the work in a folder is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        option = "" if command == "audit" else "--resume "
        how = f"semveil {command} {option}{shlex.quote(str(folder))}"
        print(f"semveil: interrupted; go on with: {how}", file=sys.stderr)
        raise SystemExit(130) from None
