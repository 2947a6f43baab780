"""Counters: none is used twice, none is taken twice, and what is lost or late does no harm."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.errors import SemveilError
from semveil.protect.session import Receiver, Sender

KEY = bytes(32)


def test_counters_are_used_once() -> None:
    sender = Sender(KEY)
    used = torch.cat([sender.take(3), sender.claim(torch.tensor([5, 9])), sender.take(2)])
    assert used.tolist() == [0, 1, 2, 5, 9, 10, 11]


# The last one's difference does not fit into 64 bits.
@pytest.mark.parametrize("messages", [[4], [5, 5], [7, 6], [-1], [5, 4], [5, -(2**63)]])
def test_a_used_counter_is_refused_and_nothing_is_used_up(messages: list[int]) -> None:
    sender = Sender(KEY, next=5)
    with pytest.raises(SemveilError, match="must increase and be 5 or more"):
        sender.claim(torch.tensor(messages))
    assert sender.next == 5


def test_the_last_counter_is_the_end() -> None:
    sender = Sender(KEY, next=2**63 - 3)
    assert sender.take(2).tolist() == [2**63 - 3, 2**63 - 2]
    with pytest.raises(SemveilError, match="no message counters left"):
        sender.take(1)


@pytest.mark.parametrize("start", [-1, -3])
def test_counters_begin_at_zero_or_above(start: int) -> None:
    with pytest.raises(SemveilError, match=f"must not be negative, like {start}"):
        Sender(KEY, next=start)


def test_no_negative_number_of_messages_is_sent() -> None:
    sender = Sender(KEY, next=5)
    with pytest.raises(ValueError, match="must not be negative, like -2"):
        sender.take(-2)
    assert sender.take(0).tolist() == []
    assert sender.next == 5


def test_keys_of_another_length_are_refused() -> None:
    for party in (Sender, Receiver):
        with pytest.raises(SemveilError, match="32 bytes"):
            party(bytes(16))


def test_nothing_is_taken_from_a_refused_batch() -> None:
    receiver = Receiver(KEY)
    receiver.accept(torch.tensor([4]))
    with pytest.raises(SemveilError, match="message 4 was received before"):
        receiver.accept(torch.tensor([5, 4]))
    receiver.accept(torch.tensor([5]))


@pytest.mark.parametrize("batch", [[3, 3], [0, 7, 0]])
def test_a_replay_within_a_batch_is_noticed(batch: list[int]) -> None:
    with pytest.raises(SemveilError, match=f"message {batch[0]} was received before"):
        Receiver(KEY).accept(torch.tensor(batch))


def test_what_is_older_than_the_window_is_refused() -> None:
    receiver = Receiver(KEY, window=4)
    receiver.accept(torch.tensor([3]))
    receiver.accept(torch.tensor([0]))
    receiver.accept(torch.tensor([5]))
    receiver.accept(torch.tensor([2]))
    with pytest.raises(SemveilError, match="older than the last 4"):
        receiver.accept(torch.tensor([1]))
    with pytest.raises(SemveilError, match="older"):
        Receiver(KEY).accept(torch.tensor([-1]))


@pytest.mark.parametrize("forged", [2**63 - 1, 2**62, 108])
def test_a_forged_counter_far_ahead_does_not_lock_the_receiver(forged: int) -> None:
    receiver = Receiver(KEY, window=4)
    receiver.accept(torch.arange(103))
    with pytest.raises(SemveilError, match=f"message {forged} skips 4 counters or more"):
        receiver.accept(torch.tensor([103, forged]))
    receiver.accept(torch.tensor([103, 104]))


def test_the_farthest_forged_counter_costs_one_message() -> None:
    receiver = Receiver(KEY, window=4)
    receiver.accept(torch.arange(103))
    receiver.accept(torch.tensor([106]))
    receiver.accept(torch.tensor([103, 104]))
    with pytest.raises(SemveilError, match="message 106 was received before"):
        receiver.accept(torch.tensor([105, 106, 107]))
    receiver.accept(torch.tensor([105, 107, 108]))


def test_a_batch_may_be_longer_than_the_window() -> None:
    receiver = Receiver(KEY, window=4)
    receiver.accept(torch.arange(50))
    receiver.accept(torch.arange(50, 100).flip(0))
    with pytest.raises(SemveilError, match="message 105 skips"):
        receiver.accept(torch.tensor([100, 105]))


def test_a_window_holds_something() -> None:
    with pytest.raises(ValueError, match="at least one counter, not 0"):
        Receiver(KEY, window=0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 40), max_size=4), max_size=20), st.integers(1, 12))
def test_the_window_decides_like_a_list_of_everything(
    batches: list[list[int]], window: int
) -> None:
    receiver = Receiver(KEY, window)
    taken: set[int] = set()
    for batch in batches:
        newest = max(taken, default=-1)
        fine = (
            len(set(batch)) == len(batch)
            and not taken & set(batch)
            and all(newest - message < window for message in batch)
            and all(
                later - message <= window
                for message, later in itertools.pairwise([newest, *sorted(batch)])
                if later > newest
            )
        )
        try:
            receiver.accept(torch.tensor(batch, dtype=torch.int64))
        except SemveilError:
            assert not fine
        else:
            assert fine
            taken |= set(batch)
