"""The learned cipher: keys fresh for every message, unit power, and a link that works without."""

from __future__ import annotations

import pytest
import torch

from semveil import data
from semveil import recipe as recipes
from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.experiment.training import Hardware, train
from semveil.link import as_float
from semveil.links.cipher import CipherLink, LearnedTransform
from semveil.nets.dense import Mlp
from semveil.nets.task import TaskEncoder
from semveil.phy import average_power
from semveil.protect.keyed_transform import as_reals, as_symbols
from semveil.protect.keys import research_key
from semveil.rng import generator, seeded, uniform


@pytest.fixture
def link():
    with seeded(0, "link"):
        return CipherLink(
            TaskEncoder((1, 8, 8), 8, 4), Mlp(9, (16,), 10), Channel("awgn"), 8, key_bits=20
        ).eval()


def images(count=40):
    return uniform((count, 1, 8, 8), generator=generator(0))


def cover(link, number=0):
    return LearnedTransform(link, research_key(number))


def test_every_message_has_a_key_of_its_own_that_alice_and_bob_agree_on(link):
    symbols = torch.zeros(400, 4, dtype=torch.complex64)
    keys = cover(link)._keys(symbols, torch.arange(400))
    assert keys.shape == (400, 20)
    assert torch.all(keys.abs() == 1)
    # 2^20 keys and 400 messages: a pair alike would happen once in thirteen lists.
    assert len(keys.unique(dim=0)) == 400
    # 8000 fair coins: 99.9 %.
    assert abs(float(keys.mean())) < 3.29 / 8000**0.5
    assert abs(float((keys[:, :-1] * keys[:, 1:]).mean())) < 3.29 / 7600**0.5
    some = torch.tensor([7, 399, 7])
    assert torch.equal(cover(link)._keys(symbols[:3], some), keys[some])
    other = cover(link, 1)._keys(symbols, torch.arange(400))
    assert abs(float((keys * other).mean())) < 3.29 / 8000**0.5


def test_the_encrypted_waveform_has_unit_power_and_depends_on_key_and_message(link):
    plain, messages = link.transmit(images()), torch.arange(40)
    sent = cover(link).encrypt(plain, messages)
    assert torch.allclose(average_power(sent), torch.ones(40), atol=1e-5)
    assert torch.equal(sent, cover(link).encrypt(plain, messages))
    for different in (
        cover(link).encrypt(plain, messages + 40),
        cover(link, 1).encrypt(plain, messages),
    ):
        assert float((sent - different).detach().abs().amin(1).max()) > 1e-3
    opened = cover(link).decrypt(sent, messages)
    assert opened.shape == sent.shape
    assert float((opened - cover(link, 1).decrypt(sent, messages)).detach().abs().max()) > 1e-3


def test_symbols_and_counters_that_do_not_belong_together_are_refused(link):
    with pytest.raises(ValueError, match="one int64 message counter for each"):
        cover(link).encrypt(link.transmit(images(3)), torch.arange(4))


def test_a_counter_used_twice_in_a_batch_is_refused(link):
    plain, twice = link.transmit(images(3)), torch.tensor([1, 0, 1])
    with pytest.raises(SemveilError, match="used twice in a batch: 1"):
        cover(link).encrypt(plain, twice)
    assert cover(link).decrypt(plain, twice).shape == plain.shape


def test_eve_hears_the_encrypted_waveform_in_training_and_white_box_the_plain_one(link):
    plain = link.transmit(images())
    radiated = link.radiate(images(), generator(1))
    assert float((radiated - plain).detach().abs().mean()) > 0.1
    assert torch.equal(link.expected(images()), plain)
    keys = link._keys(40, generator(1))
    assert torch.equal(radiated, link.encrypt(plain, keys))


def test_training_opens_with_the_key_that_closed_and_answers_in_the_clear_too(link):
    sent = link.exchange(images(), 200.0, generator(2))
    keys = link._keys(40, generator(2))
    assert torch.allclose(sent.waveform, link.encrypt(link.transmit(images()), keys))
    opened = torch.view_as_real(link.decrypt(sent.waveform, keys)).flatten(1)
    noiseless = torch.cat([opened, torch.ones(40, 1)], 1)
    assert torch.allclose(sent.answer.logits, link.decode(noiseless).logits, atol=1e-4)
    clear = Channel("awgn")(link.transmit(images()), 200.0).features()
    assert torch.allclose(sent.unprotected.logits, link.decode(clear).logits, atol=1e-4)


@pytest.mark.slow
def test_training_makes_the_key_count(tmp_path):
    """The right key opens, a wrong one does not, and the same link works in the clear."""
    recipe = recipes.load("cipher-digits", ["train.epochs=25"])
    splits = data.load("digits", seed=0)
    cpu = Hardware(torch.device("cpu"))
    trained, _ = train(["cipher"], recipe, splits, 0, tmp_path, cpu, None)
    link = trained.eval().requires_grad_(False).link("cipher")
    images, labels = as_float(torch.from_numpy(splits.test.x)), torch.from_numpy(splits.test.y)
    plain, messages = link.transmit(images), torch.arange(len(images))
    alice = cover(link)

    def accuracy(waveform, opener):
        features = link.channel(waveform, 12.0, generator=generator(3)).features()
        if opener is not None:
            symbols = opener.decrypt(as_symbols(features[:, :-1]), messages)
            features = torch.cat([as_reals(symbols), features[:, -1:]], 1)
        return float((link.decode(features).logits.argmax(1) == labels).float().mean())

    closed = alice.encrypt(plain, messages)
    assert accuracy(plain, None) > 0.9
    assert accuracy(closed, alice) > 0.8
    assert accuracy(closed, cover(link, 1)) < 0.3
    assert accuracy(closed, None) < 0.3
