"""A trained system in use: keys and counters inside, one place where Bob receives."""

from __future__ import annotations

import threading

import pytest
import torch

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.link import untrained
from semveil.protect.keys import research_key
from semveil.rng import generator

SHAPE = (1, 8, 8)
NOISELESS_DB = 100.0


def link_of(scheme, *changes):
    return untrained(scheme, recipes.load(f"{scheme}-digits", changes), SHAPE, 10, seed=0)


def images(count=4):
    return torch.rand((count, *SHAPE), generator=generator(0, "images"))


@pytest.mark.parametrize("scheme", ["deepjscc", "shuffle", "cipher", "mobilesc", "lbvq"])
def test_sending_is_transmitting_crossing_the_channel_and_receiving(scheme):
    whole, parts = link_of(scheme), link_of(scheme)
    answer = whole.send(images(), 10, generator(0, "g"))
    source = generator(0, "g")
    with torch.no_grad():
        waveform = parts.transmit(images(), source)
        again = parts.receive(parts.channel(waveform, 10.0, generator=source))
    assert torch.equal(answer.logits, again.logits)
    assert answer.logits.shape == (4, 10)
    assert (answer.images is None) == (scheme != "mobilesc")


def test_a_permuted_waveform_says_to_bob_what_the_plain_one_does():
    """Shuffled with a fresh key per message, and unshuffled: the same link as in the clear."""
    plain, keyed = link_of("deepjscc"), link_of("shuffle")
    keyed.networks.load_state_dict(plain.networks.state_dict(), strict=False)
    clear, answer = (link.send(images(), NOISELESS_DB) for link in (plain, keyed))
    assert torch.allclose(clear.logits, answer.logits, atol=1e-3)
    assert not torch.allclose(plain.transmit(images()), keyed.transmit(images()), atol=1e-2)


def test_no_message_counter_comes_twice():
    link, used = link_of("shuffle"), []
    encrypt = link.transform.encrypt

    def noted(waveform, messages):
        used.extend(messages.tolist())
        return encrypt(waveform, messages)

    link.transform.encrypt = noted
    link.send(images(3), 10)
    link.transmit(images(5))
    for _ in range(3):
        link.send(images(2), 10)
    assert len(used) == len(set(used)) == 14
    link.under_test().transmit(images(2), generator(0), torch.arange(2))
    assert max(used[-2:]) < min(used[:-2])


def test_threads_share_a_keyed_link_and_none_gets_anothers_counters():
    """Each image is decrypted under the counter that it was encrypted with."""
    link = link_of("shuffle")
    pictures = images(32)
    alone = link.send(pictures, NOISELESS_DB).logits
    used, wrong = [], []
    encrypt = link.transform.encrypt

    def noted(waveform, messages):
        used.extend(messages.tolist())
        return encrypt(waveform, messages)

    link.transform.encrypt = noted

    def send():
        for _ in range(5):
            wrong.append(float((link.send(pictures, NOISELESS_DB).logits - alone).abs().max()))

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(used) == len(set(used)) == 4 * 5 * 32
    assert max(wrong) < 1e-2


def test_under_another_key_nothing_is_understood():
    link = link_of("shuffle")
    other = link.with_key(research_key(1, "other"))
    with torch.no_grad():
        waveform = link.transmit(images())
        reception = link.channel(waveform, NOISELESS_DB)
        mine, theirs = link.receive(reception), other.receive(reception, link.counters)
    assert not torch.allclose(mine.logits, theirs.logits, atol=1e-2)


def test_a_reception_of_another_number_of_messages_is_refused():
    link = link_of("rotation")
    reception = link.channel(link.transmit(images(3)), 10.0)
    link.transmit(images(2))
    with pytest.raises(SemveilError, match=r"3 messages were received.* had 2"):
        link.receive(reception)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (torch.rand(2, 1, 8, 9), r"expected \[B, 1, 8, 8\], not \[2, 1, 8, 9\]"),
        (torch.rand(1, 8, 8), "expected"),
        (torch.rand(2, 1, 8, 8) + 1, "between 0 and 1"),
        (torch.full((2, 1, 8, 8), float("nan")), "between 0 and 1"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.int64), "expected uint8"),
    ],
)
def test_images_that_are_none_are_refused(given, problem):
    with pytest.raises(SemveilError, match=problem):
        link_of("deepjscc").send(given, 10)


def test_stored_images_are_taken_as_they_are():
    link = link_of("deepjscc")
    stored = (images() * 255).round().to(torch.uint8)
    as_floats = link.transmit(stored.float() / 255)
    assert torch.equal(link.transmit(stored.numpy()), as_floats)
    assert torch.equal(link.transmit(stored), as_floats)


def test_alices_own_noise_and_fading_come_from_the_generator():
    link = link_of("dp")
    first, again, other = (link.transmit(images(), generator(0, word)) for word in "aab")
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_system_under_test_is_the_link():
    link = link_of("shuffle")
    system, messages = link.under_test(), torch.arange(4)
    with torch.no_grad():
        waveform = system.transmit(images(), generator(0), messages)
        reception = link.channel(waveform, NOISELESS_DB)
        answer = system.receive(reception, messages)
    assert torch.equal(answer.logits, link.receive(reception, messages).logits)
    assert (system.keyed, system.permutes, system.asymmetry) == (True, True, "key")
    transmit, receive = system.surrogate
    with torch.no_grad():
        assert not torch.equal(transmit(images(), generator(0), messages), waveform)
        assert not torch.allclose(receive(reception, messages).logits, answer.logits, atol=1e-2)
