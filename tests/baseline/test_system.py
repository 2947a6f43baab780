"""Codec and physical layer together, and the choice among modes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semveil.baseline.adaptive import Mode, best, fitting, quality
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


def test_modes_that_cannot_carry_the_images_are_left_out(images):
    modes = (Mode(2, 1 / 3), Mode(4, 0.5), Mode(64, 5 / 6))
    found = fitting(Codec("avif", SHAPE), images, 384, modes)
    assert list(found) == [Mode(64, 5 / 6)]
    assert found[Mode(64, 5 / 6)].layer.channel_uses == 384


def test_the_best_mode_grows_faster_with_the_snr(images):
    modes = (Mode(2, 0.5), Mode(4, 0.5), Mode(16, 0.5), Mode(64, 0.5))
    systems = fitting(Codec("jpeg2000", SHAPE), images, 768, modes)
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
