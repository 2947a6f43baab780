"""Reading files that users name: regular files of bounded size."""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from semveil.errors import SemveilError


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
