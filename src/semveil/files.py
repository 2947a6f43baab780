"""Atomic writing of files: a reader finds the old content or the new one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from semveil.errors import SemveilError

_SCRAP = ".part"


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace a file atomically, safely against a crash or a full disk.

    The content is written to a temporary file beside the target, flushed to the disk and renamed
    over it; on failure the old file stays and the temporary one is removed.
    """
    data = content.encode() if isinstance(content, str) else content
    scratch: str | None = None
    try:
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_SCRAP)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, 0o644)
        os.replace(scratch, path)
        scratch = None
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SemveilError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if scratch is not None:
            Path(scratch).unlink(missing_ok=True)


def remove_scraps(folder: Path) -> None:
    """Remove temporary files that a killed process left in a folder."""
    for scrap in folder.rglob(f".*{_SCRAP}"):
        try:
            scrap.unlink(missing_ok=True)
        except OSError as error:
            raise SemveilError(f"cannot remove {scrap}: {error.strerror}") from error


def new_folder(path: Path) -> Path:
    """Create a folder, with its parents, and return it."""
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise SemveilError(
            f"output folder {path} exists already: name another, or continue it with --resume"
        ) from None
    except OSError as error:
        raise SemveilError(f"cannot make output folder {path}: {error.strerror}") from error
    return path


def unused_folder(wanted: Path) -> Path:
    """Return the first of FOLDER, FOLDER-2, FOLDER-3 and so on that does not exist."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder
