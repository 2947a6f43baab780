"""Counters: none is used twice, none is taken twice, and what is lost or late does no harm."""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import pickle
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import semveil
from semveil.errors import SemveilError
from semveil.protect.agreement import KeyPair, agree, fresh_nonce
from semveil.protect.keys import research_key
from semveil.protect.keystream import keystream
from semveil.protect.multi_user import MultiUserTransform
from semveil.protect.rotation import Rotation
from semveil.protect.session import Receiver, Sender
from semveil.protect.shuffle import Shuffle

KEY = bytes(32)


def agreement():
    """Return an agreement, and the confirmation that opens its session."""
    alice, bob = KeyPair.generate(), KeyPair.generate()
    hers, his = fresh_nonce(), fresh_nonce()
    tag = agree(bob, alice.public, his, hers).confirmation
    return agree(alice, bob.public, hers, his), tag


def in_threads(work, count=4):
    """Run work(number) in several threads that change as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)


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
    receiver = Receiver(KEY, new_key=True)
    receiver.accept(torch.tensor([4]))
    with pytest.raises(SemveilError, match="message 4 was received before"):
        receiver.accept(torch.tensor([5, 4]))
    receiver.accept(torch.tensor([5]))


@pytest.mark.parametrize("batch", [[3, 3], [0, 7, 0]])
def test_a_replay_within_a_batch_is_noticed(batch: list[int]) -> None:
    with pytest.raises(SemveilError, match=f"message {batch[0]} was received before"):
        Receiver(KEY, new_key=True).accept(torch.tensor(batch))


def test_what_is_older_than_the_window_is_refused() -> None:
    receiver = Receiver(KEY, window=4, new_key=True)
    receiver.accept(torch.tensor([3]))
    receiver.accept(torch.tensor([0]))
    receiver.accept(torch.tensor([5]))
    receiver.accept(torch.tensor([2]))
    with pytest.raises(SemveilError, match="older than the last 4"):
        receiver.accept(torch.tensor([1]))
    with pytest.raises(SemveilError, match="older"):
        Receiver(KEY, new_key=True).accept(torch.tensor([-1]))


@pytest.mark.parametrize("forged", [2**63 - 1, 2**62, 108])
def test_a_forged_counter_far_ahead_does_not_lock_the_receiver(forged: int) -> None:
    receiver = Receiver(KEY, window=4, new_key=True)
    receiver.accept(torch.arange(103))
    with pytest.raises(SemveilError, match=f"message {forged} skips 4 counters or more"):
        receiver.accept(torch.tensor([103, forged]))
    receiver.accept(torch.tensor([103, 104]))


def test_the_farthest_forged_counter_costs_one_message() -> None:
    receiver = Receiver(KEY, window=4, new_key=True)
    receiver.accept(torch.arange(103))
    receiver.accept(torch.tensor([106]))
    receiver.accept(torch.tensor([103, 104]))
    with pytest.raises(SemveilError, match="message 106 was received before"):
        receiver.accept(torch.tensor([105, 106, 107]))
    receiver.accept(torch.tensor([105, 107, 108]))


def test_a_batch_may_be_longer_than_the_window() -> None:
    receiver = Receiver(KEY, window=4, new_key=True)
    receiver.accept(torch.arange(50))
    receiver.accept(torch.arange(50, 100).flip(0))
    with pytest.raises(SemveilError, match="message 105 skips"):
        receiver.accept(torch.tensor([100, 105]))


def test_a_window_holds_something() -> None:
    with pytest.raises(ValueError, match="at least one counter, not 0"):
        Receiver(KEY, window=0, new_key=True)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 40), max_size=4), max_size=20), st.integers(1, 12))
def test_the_window_decides_like_a_list_of_everything(
    batches: list[list[int]], window: int
) -> None:
    receiver = Receiver(KEY, window, new_key=True)
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


@pytest.mark.parametrize("how", ["take", "claim"])
def test_no_counter_is_given_to_two_threads(how: str) -> None:
    sender, used = Sender(KEY), [[] for _ in range(4)]

    def send(number: int) -> None:
        for _ in range(1500):
            if how == "take":
                used[number].extend(sender.take(2).tolist())
                continue
            # Another thread may be faster.
            with contextlib.suppress(SemveilError):
                used[number].extend(sender.claim(torch.tensor([sender.next])).tolist())

    in_threads(send)
    found = list(itertools.chain.from_iterable(used))
    assert len(set(found)) == len(found) > 0
    if how == "take":
        assert sorted(found) == list(range(4 * 1500 * 2))


def test_no_message_is_accepted_in_two_threads() -> None:
    receiver, accepted = Receiver(KEY, new_key=True), []

    def receive(number: int) -> None:
        for message in range(800):
            with contextlib.suppress(SemveilError):
                receiver.accept(torch.tensor([message]))
                accepted.append(message)

    in_threads(receive)
    assert len(set(accepted)) == len(accepted) > 0


def test_an_agreement_opens_one_session_in_all_threads() -> None:
    for _ in range(20):
        ours, tag = agreement()
        opened = []

        def confirm(number: int, ours=ours, tag=tag, opened=opened) -> None:
            with contextlib.suppress(SemveilError):
                opened.append(ours.confirm(tag))

        in_threads(confirm)
        assert len(opened) == 1


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_twin_is_made(twin) -> None:
    for one in (Sender(KEY), Receiver(KEY, new_key=True), agreement()[0]):
        with pytest.raises(SemveilError, match="cannot be copied or pickled"):
            twin(one)
        with pytest.raises(SemveilError, match="cannot be copied or pickled"):
            copy.deepcopy([one])


FORK = """
import os, sys, torch
from semveil.errors import SemveilError
from semveil.protect.session import Receiver, Sender

sender, receiver = Sender(bytes(32)), Receiver(bytes(32), new_key=True)
sender._lock.acquire()  # as another thread might at the moment of the fork
child = os.fork()
if child == 0:
    for use in (lambda: sender.take(1), lambda: sender.claim(torch.tensor([5])),
                lambda: sender.save("state"), lambda: receiver.accept(torch.tensor([0]))):
        try:
            use()
        except SemveilError as error:
            print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
sender._lock.release()
print(sender.take(2).tolist(), os.path.exists("state"))
"""


def test_a_forked_process_gets_an_error_and_the_first_one_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(semveil.__file__).parents[1])},
    )
    *refused, last = done.stdout.splitlines()
    assert len(refused) == 4
    assert all("was made in another process" in line for line in refused)
    assert last == "[0, 1] False"


@pytest.mark.parametrize(
    "messages",
    [
        torch.tensor([0.5, 0.7]),
        torch.tensor([2.0**24, 2.0**24 + 1], dtype=torch.float64),
        torch.tensor([1, 2], dtype=torch.int32),
        torch.tensor([True, False]),
        torch.tensor([[1], [2]]),
        [1, 2],
    ],
    ids=str,
)
def test_counters_are_int64_everywhere(messages) -> None:
    z = torch.ones(2, 4, dtype=torch.complex64)
    receiver, sender = Receiver(KEY, new_key=True), Sender(KEY)
    uses = [
        lambda: sender.claim(messages),
        lambda: receiver.accept(messages),
        lambda: keystream(KEY, messages, 8),
        lambda: MultiUserTransform([Shuffle(KEY)]).decrypt(z, messages, torch.zeros(2).long()),
    ]
    for use in uses:
        with pytest.raises(SemveilError, match="expected int64"):
            use()
    if isinstance(messages, torch.Tensor):
        for transform in (Rotation(KEY), Shuffle(KEY)):
            with pytest.raises(ValueError, match="int64 message counter"):
                transform.decrypt(z, messages)
    assert sender.next == 0


def test_large_counters_do_not_collide() -> None:
    numbers = torch.tensor([2**24, 2**24 + 1, 2**53, 2**53 + 1])
    assert len({row.numpy().tobytes() for row in keystream(KEY, numbers, 8)}) == 4
    sender = Sender(KEY, next=2**53)
    assert sender.claim(numbers[2:]).tolist() == [2**53, 2**53 + 1]
    receiver = Receiver(KEY, window=2**25, new_key=True)
    receiver.accept(numbers[:1])
    receiver.accept(numbers[1:2])


@pytest.mark.parametrize("number", [0.5, 1.0, "3", None])
def test_numbers_of_messages_are_whole(number) -> None:
    for use in (lambda: Sender(KEY, number), lambda: Sender(KEY).take(number)):
        with pytest.raises(SemveilError, match="expected an integer"):
            use()


def test_a_sender_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    path, sender = tmp_path / "alice", Sender(KEY)
    sender.take(5)
    sender.save(path)
    with pytest.raises(SemveilError, match="save it again"):
        sender.take(1)
    restored = Sender.restore(path, KEY)
    assert restored.take(2).tolist() == [5, 6]
    with pytest.raises(SemveilError, match="cannot read the sender's state"):
        Sender.restore(path, KEY)


def test_no_counter_comes_back_after_a_crash(tmp_path: Path) -> None:
    path, sender = tmp_path / "alice", Sender(KEY)
    sender.save(path, ahead=3)
    used = sender.take(2).tolist()  # and then the process dies
    assert not set(used) & set(Sender.restore(path, KEY).take(5).tolist())
    assert sender.take(1).tolist() == [2]
    for refused in (lambda: sender.take(1), lambda: sender.claim(torch.tensor([10]))):
        with pytest.raises(SemveilError, match="reserves the counters below 3 only"):
            refused()
    sender.save(path, ahead=10)
    assert sender.take(10).tolist() == list(range(3, 13))


def test_two_processes_do_not_restore_one_state(tmp_path: Path) -> None:
    path = tmp_path / "alice"
    for _ in range(20):
        Sender(KEY).save(path)
        restored: list[Sender] = []

        def restore(number: int, restored=restored) -> None:
            with contextlib.suppress(SemveilError):
                restored.append(Sender.restore(path, KEY))

        in_threads(restore)
        assert len(restored) == 1


def test_a_restored_receiver_knows_what_it_accepted(tmp_path: Path) -> None:
    path, receiver = tmp_path / "bob", Receiver(KEY, window=8, new_key=True)
    receiver.accept(torch.tensor([0, 3, 5]))
    receiver.save(path)
    restored = Receiver.restore(path, KEY)
    for message in (0, 3, 5):
        with pytest.raises(SemveilError, match=f"message {message} was received before"):
            restored.accept(torch.tensor([message]))
    with pytest.raises(SemveilError, match="skips 8 counters"):
        restored.accept(torch.tensor([14]))
    restored.accept(torch.tensor([1, 2, 4, 13]))
    with pytest.raises(SemveilError, match="older than the last 8"):
        restored.accept(torch.tensor([5]))


def test_a_state_shows_no_key_and_belongs_to_one(tmp_path: Path) -> None:
    key, path = research_key(7), tmp_path / "state"
    sender, receiver = Sender(key, next=3), Receiver(key, new_key=True)
    for one, kind in ((sender, Sender), (receiver, Receiver)):
        one.save(path)
        content = path.read_bytes()
        for secret in (key, key.hex().encode(), repr(key)[2:-1].encode()):
            assert secret not in content
        other = Receiver if kind is Sender else Sender
        tag, _, rest = content.partition(b"\n")
        for damaged in (b"", content[:-3], b"{}", tag + b"\n" + rest.replace(b"3", b"2"), b"\xff"):
            if damaged != content:
                path.write_bytes(damaged)
                with pytest.raises(SemveilError, match="or it is damaged"):
                    kind.restore(path, key)
        path.write_bytes(content)
        for wrong in (lambda: kind.restore(path, KEY), lambda: other.restore(path, key)):  # noqa: B023
            with pytest.raises(SemveilError, match="under this key"):
                wrong()
        assert path.exists()
        kind.restore(path, key)


def test_a_receiver_without_its_state_says_that_replays_are_possible(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="replays of messages .* are possible") as told:
        receiver = Receiver(KEY)
    assert len(told) == 1
    receiver.save(tmp_path / "bob")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Receiver.restore(tmp_path / "bob", KEY)
        ours, tag = agreement()
        ours.confirm(tag)
