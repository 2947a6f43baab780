"""Message counters: the sender never reuses one, the receiver accepts none twice."""

from __future__ import annotations

import operator
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor

from semveil.errors import SemveilError, SemveilWarning
from semveil.protect.keys import require_key
from semveil.protect.keystream import require_counters
from semveil.protect.session_state import claim_state, read_state, write_state

_LAST = 2**63 - 1


class SingleHolder:
    """Something that must not exist twice: no copies, no forks, one thread at a time.

    Attributes:
        what: What it is, in error messages.
    """

    what: str

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be copied or pickled."""
        raise SemveilError(
            f"a {self.what} cannot be copied or pickled: two of them would use one message "
            "counter twice; hand over the object itself, or agree on a new key"
        )

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # Before the lock, which another thread may hold for ever in the copy that a fork makes.
        if os.getpid() != self._process:
            raise SemveilError(
                f"this {self.what} was made in another process: two processes would use one "
                "message counter twice; agree on a new key in each process"
            )
        with self._lock:
            yield


class Sender(SingleHolder):
    """One direction's key and its unused counters; threads may share it.

    It cannot be copied, pickled or used in a forked process. :meth:`save` and :meth:`restore`
    continue it in another process.

    Args:
        key: 32 secret bytes.
        next: The lowest counter not yet used.

    Raises:
        SemveilError: If the key has not 32 bytes, or ``next`` is no integer or negative.

    Example:
        >>> sender = Sender(bytes(32))
        >>> sender.take(2), sender.take(1)
        (tensor([0, 1]), tensor([2]))
    """

    what = "sender"

    def __init__(self, key: bytes, next: int = 0) -> None:
        super().__init__()
        self.key = require_key(key)
        self._next = _whole("a message counter", next)
        if self._next < 0:
            raise SemveilError(f"message counters must not be negative, like {next}")
        self._end = _LAST

    def __repr__(self) -> str:
        return f"Sender(next={self._next})"

    @property
    def next(self) -> int:
        """The lowest counter not yet used."""
        return self._next

    def take(self, count: int) -> Tensor:
        """Return the next counters and mark them as used.

        Args:
            count: Number of messages.

        Returns:
            Their counters, int64 ``[count]``.

        Raises:
            SemveilError: If ``count`` is no integer, the key has no counters left, or more are
                asked for than :meth:`save` reserved.
            ValueError: If ``count`` is negative.
        """
        if _whole("a number of messages", count) < 0:
            raise ValueError(f"a number of messages must not be negative, like {count}")
        with self._alone():
            if self._next + count > _LAST:
                raise SemveilError("this key has no message counters left: agree on a new one")
            return self._claim(torch.arange(self._next, self._next + count))

    def claim(self, messages: Tensor) -> Tensor:
        """Mark given counters as used, such as those of a schedule, and return them.

        Args:
            messages: Counters, int64 ``[B]``, increasing. Bob's receiver refuses one that skips
                ``window`` counters or more.

        Returns:
            The same counters.

        Raises:
            SemveilError: If one was used before, or may have been, lies beyond those that
                :meth:`save` reserved, or they are not int64.

        Example:
            >>> sender = Sender(bytes(32), next=5)
            >>> sender.claim(torch.tensor([7, 9]))
            tensor([7, 9])
            >>> sender.next
            10
        """
        require_counters(messages)
        with self._alone():
            return self._claim(messages)

    def _claim(self, messages: Tensor) -> Tensor:
        if not len(messages):
            return messages
        # A comparison, since a difference may overflow.
        if int(messages[0]) < self._next or bool((messages[1:] <= messages[:-1]).any()):
            raise SemveilError(
                f"message counters must increase and be {self._next} or more: "
                "a counter used twice would give two images one keystream"
            )
        if int(messages[-1]) >= self._end < _LAST:
            raise SemveilError(
                f"the saved state of this sender reserves the counters below {self._end} only: "
                "save it again, with ahead for the messages to come, before sending"
            )
        self._next = int(messages[-1]) + 1
        return messages

    def save(self, path: str | os.PathLike[str], ahead: int = 0) -> None:
        """Save the counters, without the key, so that a later process can continue.

        The file declares the next ``ahead`` counters as used too. This sender then gives these
        and no more until it is saved again, so that no counter comes twice after a crash either:
        the restored sender skips them.

        Args:
            path: File to write, atomically; its folder must exist.
            ahead: Counters that this sender may still give before the next call.

        Raises:
            SemveilError: If the file cannot be written, or ``ahead`` is no integer or negative.

        Example:
            >>> import tempfile
            >>> path = Path(tempfile.mkdtemp()) / "alice"
            >>> sender = Sender(bytes(32), next=7)
            >>> sender.save(path, ahead=100)
            >>> Sender.restore(path, bytes(32)).take(1)
            tensor([107])
        """
        if _whole("ahead", ahead) < 0:
            raise SemveilError(f"ahead: expected 0 counters or more, not {ahead}")
        with self._alone():
            end = min(self._next + ahead, _LAST)
            write_state(Path(path), self.key, self.what, {"next": end})
            self._end = end

    @classmethod
    def restore(cls, path: str | os.PathLike[str], key: bytes) -> Sender:
        """Continue a saved sender, and remove its file: a state is restored once.

        Whoever keeps copies of the file and restores one of them reuses counters.

        Args:
            path: File that :meth:`save` wrote.
            key: Its key, 32 bytes.

        Raises:
            SemveilError: If the file is missing, damaged or of another key.
        """
        state = claim_state(Path(path), require_key(key), cls.what)
        return cls(key, state["next"])


class Receiver(SingleHolder):
    """One direction's key and its accepted counters, over a sliding window.

    Messages may be reordered by less than ``window``, and fewer than ``window`` in a row may be
    lost; after a longer gap the parties have to agree on new keys. Threads may share a receiver;
    it cannot be copied, pickled or used in a forked process.

    Counters are not authenticated: Mallory can send forged ones, which reveals nothing but can
    make Bob refuse messages. One forged counter advances the window by at most ``window``: Alice's
    next messages are still accepted, except the one with that counter; late ones are not. Every
    further forged counter before her next message advances it again, and Bob refuses all that she
    sends up to there. Only authentication of the counters prevents this: where Bob tests messages
    (:class:`~semveil.protect.tag.FrameTag`, :class:`~semveil.protect.pilots.KeyedPilots`), he
    passes on the counters of those that he accepts.

    Args:
        key: 32 secret bytes.
        window: How far behind or beyond the newest counter a message is accepted.
        new_key: Whether no message was sent under this key before. Otherwise Bob warns that he
            would accept replays of earlier messages; :meth:`restore` continues a saved receiver.

    Raises:
        SemveilError: If the key has not 32 bytes.
        ValueError: If the window is not positive.

    Example:
        >>> receiver = Receiver(bytes(32), new_key=True)
        >>> receiver.accept(torch.tensor([3, 1]))
        >>> receiver.accept(torch.tensor([3]))
        Traceback (most recent call last):
        semveil.errors.SemveilError: message 3 was received before: a replay
    """

    what = "receiver"

    def __init__(self, key: bytes, window: int = 1024, *, new_key: bool = False) -> None:
        super().__init__()
        self.key = require_key(key)
        self.window = _whole("a window", window)
        if self.window < 1:
            raise ValueError(f"a window holds at least one counter, not {window}")
        self._newest = -1
        # Entry i says whether counter newest − i was accepted.
        self._taken = torch.zeros(self.window, dtype=torch.bool)
        if not new_key:
            warnings.warn(
                "this receiver has no saved state: replays of messages that were sent under its "
                "key before are possible; restore its state, or agree on a new key",
                SemveilWarning,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        return f"Receiver(window={self.window}, newest={self._newest})"

    def accept(self, messages: Tensor) -> None:
        """Accept messages, all or none.

        Args:
            messages: Their counters, int64 ``[B]``.

        Raises:
            SemveilError: If one was accepted before, is older than the window, is negative, or is
                more than ``window`` beyond the one before it, received or in the batch, or they
                are not int64.
        """
        require_counters(messages)
        with self._alone():
            self._accept(messages)

    def _accept(self, messages: Tensor) -> None:
        if not len(messages):
            return
        counters, times = messages.cpu().unique(return_counts=True)
        age = self._newest - counters
        if bool((age >= self.window).any()) or int(counters[0]) < 0:
            raise SemveilError(
                f"message {int(counters[0])} is older than the last {self.window}: "
                "it may be a replay"
            )
        repeated = (times > 1) | ((age >= 0) & self._taken[age.clamp(min=0)])
        if bool(repeated.any()):
            raise SemveilError(
                f"message {int(counters[repeated][0])} was received before: a replay"
            )
        new = counters[age < 0]
        skipped = new - 1 - torch.cat([new.new_tensor([self._newest]), new[:-1]])
        if bool((skipped >= self.window).any()):
            raise SemveilError(
                f"message {int(new[skipped >= self.window][0])} skips {self.window} counters or "
                "more: it is forged, or too many were lost; agree on new keys"
            )
        newest = max(self._newest, int(counters[-1]))
        ahead = min(newest - self._newest, self.window)
        taken = torch.cat([torch.zeros(ahead, dtype=torch.bool), self._taken])[: self.window]
        age = newest - counters
        taken[age[age < self.window]] = True
        self._newest, self._taken = newest, taken

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the accepted counters, without the key.

        A receiver restored from the file accepts again what was accepted after it was saved: save
        after every batch whose replay would do harm.

        Args:
            path: File to write, atomically; its folder must exist.

        Raises:
            SemveilError: If the file cannot be written.

        Example:
            >>> import tempfile
            >>> path = Path(tempfile.mkdtemp()) / "bob"
            >>> receiver = Receiver(bytes(32), new_key=True)
            >>> receiver.accept(torch.tensor([4]))
            >>> receiver.save(path)
            >>> Receiver.restore(path, bytes(32)).accept(torch.tensor([4]))
            Traceback (most recent call last):
            semveil.errors.SemveilError: message 4 was received before: a replay
        """
        with self._alone():
            taken = torch.nonzero(self._taken).flatten().tolist()
            state = {"newest": self._newest, "window": self.window, "taken": taken}
            write_state(Path(path), self.key, self.what, state)

    @classmethod
    def restore(cls, path: str | os.PathLike[str], key: bytes) -> Receiver:
        """Continue a saved receiver.

        Args:
            path: File that :meth:`save` wrote.
            key: Its key, 32 bytes.

        Raises:
            SemveilError: If the file is missing, damaged or of another key.
        """
        state = read_state(Path(path), require_key(key), cls.what)
        found = cls(key, state["window"], new_key=True)
        found._newest = state["newest"]
        found._taken[state["taken"]] = True
        return found


def _whole(what: str, number: int) -> int:
    try:
        return operator.index(number)
    except TypeError:
        raise SemveilError(f"{what}: expected an integer, not {number!r}") from None


@dataclass(frozen=True)
class Session:
    """Both directions of one party, with independent keys.

    Attributes:
        sender: For messages that this party sends.
        receiver: For messages that it receives.
    """

    sender: Sender
    receiver: Receiver
