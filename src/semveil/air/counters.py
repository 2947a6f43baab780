"""Message counters of a key between commands: kept in files beside the key's own."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import Tensor

from semveil.errors import SemveilError
from semveil.protect.session import Receiver, Sender


def next_counters(key: bytes, key_file: Path, count: int) -> Tensor:
    """Return counters that no message under this key had, int64 ``[count]``; mark them as used.

    They count as used before anything is sent, so that a command that fails skips them. Commands
    that send under the same file take turns.

    Raises:
        SemveilError: If the counters that were used before are not known any more, or the files
            cannot be locked.
    """
    state, begun = _beside(key_file, "sender"), _beside(key_file, "begun")
    with _locked(begun, os.O_RDWR | os.O_CREAT, wait=True) as handle:
        if state.exists():
            sender = Sender.restore(state, key)
        elif os.fstat(handle).st_size:
            raise SemveilError(
                f"{state} is missing, so that counters could be used twice under this key; agree "
                "on a new key"
            )
        else:
            os.write(handle, b"Messages were sent under this key.\n")
            os.fsync(handle)
            sender = Sender(key)
        counters = sender.take(count)
        sender.save(state)
    return counters


@contextmanager
def accepted_counters(key: bytes, key_file: Path) -> Iterator[Receiver]:
    """Hold the counters that Bob has accepted under a key; they are saved if nothing fails.

    Raises:
        SemveilError: If another command receives under the same file, or it cannot be locked.
    """
    state = _beside(key_file, "receiver")
    with _locked(key_file, os.O_RDONLY, wait=False):
        receiver = Receiver.restore(state, key) if state.exists() else Receiver(key, new_key=True)
        yield receiver
        receiver.save(state)


@contextmanager
def _locked(path: Path, flags: int, *, wait: bool) -> Iterator[int]:
    """Open a file, and keep other commands from locking it."""
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        raise SemveilError(f"cannot open {path}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SemveilError(
                f"another command receives under {path}: wait until it has finished"
            ) from None
        except OSError as error:
            raise SemveilError(
                f"cannot lock {path}, so that counters could be used twice: {error.strerror}; keep "
                "the key on a local disk"
            ) from error
        yield handle
    finally:
        os.close(handle)


def _beside(key_file: Path, name: str) -> Path:
    return key_file.with_name(f"{key_file.name}.{name}")
