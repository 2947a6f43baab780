"""Reading files that users name: regular files of bounded size."""

from __future__ import annotations

import errno
import json
import stat
from collections import Counter
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError, shown


def read_small(path: Path, what: str, most: int) -> str:
    """Return the text of a file that a user names, UTF-8.

    Args:
        path: The file.
        what: What errors call it.
        most: Bytes that it may have.

    Raises:
        SemveilError: If it is no regular file, is larger, or cannot be read.

    Example:
        >>> import os
        >>> read_small(Path(os.devnull), "recipe mine.yaml", 1000)
        Traceback (most recent call last):
        semveil.errors.SemveilError: cannot read recipe mine.yaml: it is not a regular file
    """
    try:
        return read_regular(path, most).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise SemveilError(f"cannot read {what}: {reason or error}") from None


def parse_json(content: bytes) -> Any:
    """Return what JSON in UTF-8 says.

    Raises:
        SemveilError: If it names a key twice, of which readers take one or the other.
        ValueError: If it is no JSON in UTF-8, or begins with a byte order mark.
        RecursionError: If it is nested too deep.

    Example:
        >>> parse_json(b'{"a": 1, "a": 2}')
        Traceback (most recent call last):
        semveil.errors.SemveilError: key 'a' is there twice
    """
    return json.loads(content.decode(), object_pairs_hook=_once, parse_constant=_refuse_constant)


def _refuse_constant(word: str) -> None:
    # Python's own, which other readers take for damage.
    raise ValueError(f"{word} is no JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise SemveilError(f"key '{shown(key)}' is there twice")
    return found


def read_regular(path: Path, most: int = 1 << 31) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: If it is none, is larger than ``most`` bytes, or cannot be read.
    """
    size = require_regular(path)
    if size > most:
        raise OSError(errno.EFBIG, f"it has {size} bytes, more than {most}")
    return path.read_bytes()


def require_regular(path: Path) -> int:
    """Return the size of a regular file, bytes; a pipe or device might never end.

    Raises:
        OSError: If it is none.
    """
    about = path.stat()
    if stat.S_ISDIR(about.st_mode):
        raise OSError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return about.st_size
