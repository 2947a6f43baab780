"""Message counters of a key between commands: kept in files beside the key's own."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from semveil.errors import SemveilError
from semveil.files import write_atomic
from semveil.protect.session import Receiver, Sender


def next_counters(key: bytes, key_file: Path, count: int) -> Tensor:
    """Return counters that no message under this key had, int64 ``[count]``; mark them as used.

    They count as used before anything is sent, so that a command that fails skips them.

    Raises:
        SemveilError: If the counters that were used before are not known any more.
    """
    state, begun = _beside(key_file, "sender"), _beside(key_file, "begun")
    if state.exists():
        sender = Sender.restore(state, key)
    elif begun.exists():
        raise SemveilError(
            f"{state} is missing, so that counters could be used twice under this key: another "
            "command sends under it, or the file was lost; agree on a new key"
        )
    else:
        write_atomic(begun, "Messages were sent under this key.\n")
        sender = Sender(key)
    counters = sender.take(count)
    sender.save(state)
    return counters


def receiver_of(key: bytes, key_file: Path) -> Receiver:
    """Return the receiver of a key, with the counters that it accepted before."""
    state = _beside(key_file, "receiver")
    return Receiver.restore(state, key) if state.exists() else Receiver(key, new_key=True)


def keep_receiver(receiver: Receiver, key_file: Path) -> None:
    """Keep the counters that a receiver has accepted."""
    receiver.save(_beside(key_file, "receiver"))


def _beside(key_file: Path, name: str) -> Path:
    return key_file.with_name(f"{key_file.name}.{name}")
