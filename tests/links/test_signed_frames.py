"""Frames of the classical link with a keyed tag: what Bob accepts and rejects, what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from semveil import recipe as recipes
from semveil.channel import Channel, Reception
from semveil.data.digits import Digits
from semveil.errors import SemveilError
from semveil.experiment.link import untrained
from semveil.link import as_float
from semveil.links.classical import as_pixels
from semveil.protect.keys import research_key
from semveil.protect.session import Receiver
from semveil.protect.tag import FrameTag
from semveil.rng import generator

SHAPE = (1, 8, 8)
SETTINGS = ["bob.fading=awgn", "bob.csi=perfect", "semantic.classifier_width=4"]
AWGN = Channel("awgn")
COUNTERS = torch.arange(64)


def link_of(bits=64, *changes):
    recipe = recipes.load("classical-digits", [f"classical.tag_bits={bits}", *SETTINGS, *changes])
    return untrained("classical", recipe, SHAPE, 10, seed=0)


@pytest.fixture(scope="module")
def images():
    return as_float(torch.from_numpy(Digits().read().train.x[:64]))


def clean(waveform):
    return Reception(waveform, torch.ones(len(waveform), 1) + 0j, torch.tensor(0.01))


def test_genuine_frames_are_accepted_whenever_the_checksum_holds(images):
    link = link_of()
    seen = set()
    for snr_db in (1.0, 1.5, 30.0):
        sent = link.transmit_numbered(images, None, COUNTERS)
        heard = AWGN(sent, snr_db, generator=generator(0, snr_db))
        frames = link.network.system.layer.frames(heard)
        holds = [frame is not None for frame in frames]
        answer = link.receive(heard, COUNTERS)
        assert answer.accepted.tolist() == holds
        assert torch.equal(answer.lost, ~answer.accepted)
        seen |= set(holds)
    assert seen == {True, False}


def test_bob_sees_the_same_images_as_without_a_tag_in_fewer_bytes(images):
    signed, plain = link_of(64), link_of(0)
    layers = [link.network.system.layer for link in (signed, plain)]
    assert layers[0].payload_bytes == layers[1].payload_bytes - 8
    answer = signed.send(images, 30.0)
    codec = signed.network.system.codec
    shown = codec.decode(codec.fit(as_pixels(images), layers[0].payload_bytes))
    assert torch.equal(answer.images, as_float(torch.from_numpy(shown)))
    assert plain.send(images, 30.0).accepted is None
    assert plain.counters is None


def test_each_changed_bit_of_file_or_tag_is_rejected():
    link = link_of()
    layer, tag = link.network.system.layer, FrameTag(research_key(0, "classical"), 64)
    file = np.random.default_rng(0).bytes(10)
    bits = np.unpackbits(np.frombuffer(file, np.uint8))
    flipped = [np.packbits(bits ^ (np.arange(80) == place)).tobytes() for place in range(len(bits))]
    (genuine,) = layer.frames(clean(layer.modulate([file])))
    signed = tag.sign(5, genuine.content)
    other_tags = [
        bytes(a ^ b for a, b in zip(signed, (1 << n).to_bytes(8), strict=True)) for n in range(64)
    ]
    longer = [file + b"\0", file[:-1]]
    files = [file, *flipped, *longer, *[file] * 64]
    tags = [signed] * (len(files) - 64) + other_tags
    heard = clean(layer.modulate(files, sign=lambda row, content: tags[row]))
    assert None not in layer.frames(heard)  # with checksums that hold
    accepted = link.receive(heard, torch.full((len(files),), 5)).accepted
    assert accepted.tolist() == [True] + [False] * (len(files) - 1)


def test_forgeries_pass_as_rarely_as_stated():
    link = link_of(8)
    layer, source = link.network.system.layer, np.random.default_rng(1)
    accepted = count = 0
    for _ in range(8):
        files = [source.bytes(12) for _ in range(1000)]
        heard = clean(layer.modulate(files, sign=lambda row, content: source.bytes(1)))
        accepted += int(link.receive(heard, torch.arange(1000)).accepted.sum())
        count += 1000
    low, high = stats.binom.interval(0.999, count, 2**-8)
    assert low <= accepted <= high


def test_other_counters_other_keys_and_unsigned_frames_are_rejected(images):
    link = link_of()
    heard = AWGN(link.transmit(images), 30.0, generator=generator(0))
    assert link.receive(heard).accepted.all()
    answer = link.receive(heard, link.counters + 1)
    assert not answer.accepted.any()
    assert answer.lost.all()
    assert torch.equal(answer.images, answer.images[:1].expand_as(answer.images))
    assert not link.with_key(research_key(1)).receive(heard, link.counters).accepted.any()
    # What Mallory can send without the key.
    transmit, receive = link.under_test().surrogate
    hers = AWGN(transmit(images, None, COUNTERS), 30.0, generator=generator(0))
    assert not link.receive(hers, COUNTERS).accepted.any()
    assert receive(hers, COUNTERS).accepted is None
    assert not receive(hers, COUNTERS).lost.any()


def test_a_replay_is_rejected_by_the_counter_that_it_claims(images):
    link, receiver = link_of(), Receiver(research_key(0, "classical"), new_key=True)
    few = images[:4]
    heard = AWGN(link.transmit_numbered(few, None, COUNTERS[:4]), 30.0, generator=generator(0))
    answer = link.receive(heard, COUNTERS[:4])
    receiver.accept(COUNTERS[:4][answer.accepted])
    # Under its own counter the tag holds, and the receiver's state refuses it.
    assert link.receive(heard, COUNTERS[:4]).accepted.all()
    with pytest.raises(SemveilError, match="was received before: a replay"):
        receiver.accept(COUNTERS[:1])
    # Under a new counter the tag does not hold.
    assert not link.receive(heard, COUNTERS[4:8]).accepted.any()


def test_eve_hears_an_unprotected_link_and_her_receiver_does_without_the_key(images):
    system = link_of().under_test()
    assert not system.keyed
    assert system.asymmetry is None


def test_an_image_that_does_not_fit_is_told_under_the_tag():
    link = link_of(64, "link.latent_dim=768", "classical.order=2")
    noise = torch.rand(4, *SHAPE, generator=generator(0))
    sent = link.network.system.source(as_pixels(noise))
    assert None in sent
    answer = link.send(noise, 30.0)
    assert answer.accepted.all()
    assert answer.lost.tolist() == [file is None for file in sent]
