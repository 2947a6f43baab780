"""Message counters: the sender never reuses one, the receiver accepts none twice."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from semveil.errors import SemveilError
from semveil.protect.keys import require_key

_LAST = 2**63 - 1


@dataclass
class Sender:
    """One direction's key and its unused counters.

    To store a session, keep :attr:`next` with the key; if the used counters are not known for
    certain, agree on a new key.

    Attributes:
        key: 32 secret bytes.
        next: The lowest counter not yet used.

    Raises:
        SemveilError: If the key has not 32 bytes, or ``next`` is negative.

    Example:
        >>> sender = Sender(bytes(32))
        >>> sender.take(2), sender.take(1)
        (tensor([0, 1]), tensor([2]))
    """

    key: bytes = field(repr=False)
    next: int = 0

    def __post_init__(self) -> None:
        require_key(self.key)
        if self.next < 0:
            raise SemveilError(f"message counters must not be negative, like {self.next}")

    def take(self, count: int) -> Tensor:
        """Return the next counters and mark them as used.

        Args:
            count: Number of messages.

        Returns:
            Their counters, int64 ``[count]``.

        Raises:
            SemveilError: If the key has no counters left.
            ValueError: If ``count`` is negative.
        """
        if count < 0:
            raise ValueError(f"a number of messages must not be negative, like {count}")
        if self.next + count > _LAST:
            raise SemveilError("this key has no message counters left: agree on a new one")
        return self.claim(torch.arange(self.next, self.next + count))

    def claim(self, messages: Tensor) -> Tensor:
        """Mark given counters as used, such as those of a schedule, and return them.

        Args:
            messages: Counters, int64 ``[B]``, increasing. Bob's receiver refuses one that skips
                ``window`` counters or more.

        Returns:
            The same counters.

        Raises:
            SemveilError: If one was used before, or may have been.

        Example:
            >>> sender = Sender(bytes(32), next=5)
            >>> sender.claim(torch.tensor([7, 9]))
            tensor([7, 9])
            >>> sender.next
            10
        """
        if not len(messages):
            return messages
        # A comparison, since a difference may overflow.
        if int(messages[0]) < self.next or bool((messages[1:] <= messages[:-1]).any()):
            raise SemveilError(
                f"message counters must increase and be {self.next} or more: "
                "a counter used twice would give two images one keystream"
            )
        self.next = int(messages[-1]) + 1
        return messages


@dataclass
class Receiver:
    """One direction's key and its accepted counters, over a sliding window.

    Messages may be reordered by less than ``window``, and fewer than ``window`` in a row may be
    lost; after a longer gap the parties have to agree on new keys.

    Counters are not authenticated: Mallory can send forged ones, which reveals nothing but can
    make Bob refuse messages. One forged counter advances the window by at most ``window``: Alice's
    next messages are still accepted, except the one with that counter; late ones are not. Every
    further forged counter before her next message advances it again, and Bob refuses all that she
    sends up to there. Only authentication of the counters prevents this.

    Attributes:
        key: 32 secret bytes.
        window: How far behind or beyond the newest counter a message is accepted.

    Raises:
        SemveilError: If the key has not 32 bytes.
        ValueError: If the window is not positive.

    Example:
        >>> receiver = Receiver(bytes(32))
        >>> receiver.accept(torch.tensor([3, 1]))
        >>> receiver.accept(torch.tensor([3]))
        Traceback (most recent call last):
        semveil.errors.SemveilError: message 3 was received before: a replay
    """

    key: bytes = field(repr=False)
    window: int = 1024
    _newest: int = field(default=-1, init=False)
    _taken: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require_key(self.key)
        if self.window < 1:
            raise ValueError(f"a window holds at least one counter, not {self.window}")
        # Entry i says whether counter newest − i was accepted.
        self._taken = torch.zeros(self.window, dtype=torch.bool)

    def accept(self, messages: Tensor) -> None:
        """Accept messages, all or none.

        Args:
            messages: Their counters, int64 ``[B]``.

        Raises:
            SemveilError: If one was accepted before, is older than the window, is negative, or is
                more than ``window`` beyond the one before it, received or in the batch.
        """
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


@dataclass(frozen=True)
class Session:
    """Both directions of one party, with independent keys.

    Attributes:
        sender: For messages that this party sends.
        receiver: For messages that it receives.
    """

    sender: Sender
    receiver: Receiver
