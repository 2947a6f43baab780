"""Codec and physical layer together, and the choice among modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semveil.baseline.adaptive import Mode, best, quality, systems_of
from semveil.baseline.codec import Codec
from semveil.baseline.system import ImageSystem
from semveil.baseline.transceiver import Transceiver
from semveil.channel import Channel, OfdmChannel
from semveil.rng import generator

SHAPE = (3, 32, 32)
GREY = np.full(SHAPE, 128, np.uint8)


@pytest.fixture(scope="module")
def images(patches):
    return np.ascontiguousarray(patches[:, :, :32, :32])


@pytest.mark.parametrize("name", ["jpeg2000", "avif"])
def test_without_errors_bob_sees_what_the_codec_leaves(images, name):
    system = ImageSystem(Codec(name, SHAPE), Transceiver(64 * 19, 16, 0.5))
    heard = OfdmChannel(csi="estimated")(system.send(images), 40.0, generator=generator(0))
    seen, passed = system.receive(heard, GREY)
    assert passed.all()
    assert (seen == system.codec.decode(system.codec.fit(images, 300))).all()


def test_where_the_checksum_fails_the_fallback_is_shown_and_nothing_else_changes(images):
    system = ImageSystem(Codec("jpeg2000", SHAPE), Transceiver(384, 4, 0.5))
    channel = Channel("rayleigh")
    heard = channel(system.send(images), 2.0, generator=generator(0, "rayleigh"))
    seen, passed = system.receive(heard, GREY)
    assert 0 < int(passed.sum()) < len(images)
    clean = system.codec.decode(system.source(images))
    good = passed.numpy()
    assert (seen[good] == clean[good]).all()
    assert (seen[~good] == GREY).all()


def test_an_image_whose_file_does_not_fit_is_the_fallback_and_the_others_arrive(images):
    system = ImageSystem(Codec("avif", SHAPE), Transceiver(384, 16, 0.22))
    fits = np.array([payload is not None for payload in system.source(images)])
    assert 0 < fits.sum() < len(images)
    seen, passed = system.receive(Channel("awgn")(system.send(images), 30.0), GREY)
    assert passed.tolist() == fits.tolist()
    assert (seen[~fits] == GREY).all()
    assert (seen[fits] == system.codec.decode(system.source(images[fits]))).all()


def test_modes_without_a_byte_for_an_image_are_left_out():
    modes = (Mode(2, 1 / 12), Mode(4, 1 / 8), Mode(64, 5 / 6))
    found = systems_of(Codec("avif", SHAPE), 384, modes)
    assert list(found) == [Mode(4, 1 / 8), Mode(64, 5 / 6)]


def test_the_best_mode_grows_faster_with_the_snr(images):
    modes = (Mode(2, 0.5), Mode(4, 0.5), Mode(16, 0.5), Mode(64, 0.5))
    systems = systems_of(Codec("jpeg2000", SHAPE), 768, modes)
    chosen, shown = [], []
    for snr_db in (-1.0, 4.0, 10.0, 20.0):
        qualities = {
            mode: quality(system, images, Channel("awgn"), snr_db, GREY, generator(0, "awgn"))
            for mode, system in systems.items()
        }
        chosen.append(best(qualities).order)
        shown.append(float(qualities[best(qualities)].mean()))
    assert chosen == [2, 4, 16, 64]
    assert shown == sorted(shown)


def test_of_two_equals_the_more_robust_is_taken():
    same = torch.tensor([20.0, 20.0])
    assert best({Mode(16, 0.5): same, Mode(4, 0.75): same, Mode(4, 0.5): same}) == Mode(4, 0.5)
