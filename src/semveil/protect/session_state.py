"""Files with the counters of a session: authenticated under its key, which they do not contain."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.protect.keys import subkey
from semveil.reading import read_regular

# Of a window of 2**20 counters, all accepted, with room to spare.
_MOST_BYTES = 2**24


def write_state(path: Path, key: bytes, what: str, state: dict[str, Any]) -> None:
    """Write a state atomically: its tag on the first line, then JSON."""
    content = json.dumps(state)
    write_atomic(path, f"{_tag(key, what, content.encode())}\n{content}\n")


def read_state(path: Path, key: bytes, what: str) -> dict[str, Any]:
    """Return a state that was written under this key for a ``sender`` or ``receiver``.

    Raises:
        SemveilError: If the file is missing, damaged or of another key.
    """
    try:
        found = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise SemveilError(f"cannot read the {what}'s state {path}: {error.strerror}") from error
    tag, _, content = found.removesuffix(b"\n").partition(b"\n")
    if not hmac.compare_digest(tag, _tag(key, what, content).encode()):
        raise SemveilError(
            f"{path}: this is no {what}'s state under this key, or it is damaged; agree on a new "
            "key"
        )
    state: dict[str, Any] = json.loads(content)
    return state


def claim_state(path: Path, key: bytes, what: str) -> dict[str, Any]:
    """Return a state and remove its file; of several processes one alone succeeds.

    Raises:
        SemveilError: As :func:`read_state`, or if another process was faster.
    """
    state = read_state(path, key, what)
    try:
        path.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SemveilError(
            f"cannot remove the {what}'s state {path}, so that it is restored once only: "
            f"{error.strerror}"
        ) from error
    return state


def _tag(key: bytes, what: str, content: bytes) -> str:
    return hmac.new(subkey(key, "session state", what), content, hashlib.sha256).hexdigest()
