"""Bytes over the air: exact without noise, never wrong with it, and nothing for free."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semveil.baseline.transceiver import Frame, Transceiver
from semveil.channel import Channel, OfdmChannel, Reception
from semveil.errors import SemveilError
from semveil.phy import average_power
from semveil.rng import generator


def payloads(layer, count):
    """Return payloads of all lengths, from one byte to all that fit."""
    source = np.random.default_rng(0)
    lengths = np.linspace(1, layer.payload_bytes, count).astype(int)
    return [source.bytes(length) for length in lengths]


# The last one takes several code blocks, of which the symbols are no multiple.
@pytest.mark.parametrize(
    ("uses", "order", "rate"),
    [
        (4864, 2, 0.5),
        (2432, 4, 0.5),
        (1216, 16, 0.5),
        (832, 64, 0.5),
        (384, 8, 1 / 3),
        (384, 32, 2 / 3),
        (384, 256, 5 / 6),
        (3000, 64, 0.2),
        (64, 4, 0.92),
        (8000, 16, 0.75),
    ],
)
def test_what_is_sent_arrives(uses, order, rate):
    layer = Transceiver(uses, order, rate)
    sent = payloads(layer, 4)
    waveform = layer.modulate(sent)
    assert waveform.shape == (4, uses)
    assert layer.demodulate(Channel("awgn")(waveform, 35.0, generator=generator(0))) == sent


def test_multipath_under_estimated_csi_is_no_obstacle_at_high_snr():
    layer = Transceiver(384, 16, 0.5)
    sent = payloads(layer, 20)
    channel = OfdmChannel(csi="estimated")
    heard = channel(layer.modulate(sent), 40.0, generator=generator(0, "multipath"))
    assert layer.demodulate(heard) == sent


def test_subcarriers_that_are_lost_are_known_to_be():
    layer = Transceiver(384, 4, 1 / 3)
    sent = payloads(layer, 20)
    waveform = layer.modulate(sent)
    csi = torch.ones(20, 384, dtype=torch.complex64)
    csi[:, ::3] = 0
    noise = 0.05 * torch.randn(20, 384, dtype=torch.complex64, generator=generator(0, "noise"))
    # What is heard on the dead ones is loud, and would outvote the others if it were believed.
    heard = torch.where(csi == 0, torch.tensor(-9 + 9j), waveform) + noise
    assert layer.demodulate(Reception(heard, csi, torch.tensor(0.05**2))) == sent


def test_noise_is_refused_and_not_shown():
    layer = Transceiver(384, 4, 0.5)
    silence = torch.zeros(300, 384, dtype=torch.complex64)
    heard = Channel("awgn")(silence, 0.0, generator=generator(0, "silence"))
    assert layer.demodulate(heard) == [None] * 300


def test_of_what_arrives_none_is_wrong_and_less_arrives_in_more_noise():
    layer = Transceiver(384, 4, 0.5)
    sent = payloads(layer, 200)
    waveform = layer.modulate(sent)
    counts = []
    for snr_db in (-2.0, 1.0, 4.0):
        heard = layer.demodulate(Channel("awgn")(waveform, snr_db, generator=generator(0, "awgn")))
        assert all(got in (None, message) for got, message in zip(heard, sent, strict=True))
        counts.append(sum(got is not None for got in heard))
    # Capacity of QPSK is one bit per symbol at 0.2 dB; short codes need a little more.
    assert counts[0] == 0
    assert counts[0] < counts[1] <= counts[2] == 200


@pytest.mark.parametrize(
    ("uses", "order", "message", "checksum"), [(2432, 4, 2432, 16), (2432, 16, 4864, 24)]
)
def test_length_and_checksum_are_paid_for(uses, order, message, checksum):
    layer = Transceiver(uses, order, 0.5)
    assert layer.message_bits == message
    assert layer.payload_bytes == (message - checksum - 16) // 8


def test_the_papers_symbol_counts():
    # Nan et al., arXiv 2305.07220, Table IV, whose 9 for 64-QAM would carry 1,728 of these bits.
    for order, symbols in ((2, 76), (4, 38), (16, 19), (64, 13)):
        most = [Transceiver(64 * n, order, 0.5).message_bits for n in (symbols - 1, symbols)]
        assert most[0] < 8 * 304 <= most[1]
    # A rate that is no binary fraction costs no symbol more.
    assert Transceiver(64, 8, 2 / 3).message_bits == 64 * 2


@pytest.mark.parametrize("order", [2, 4, 16, 64])
def test_power_is_one_also_where_most_is_padding(order):
    layer = Transceiver(4000, order, 0.5)
    power = average_power(layer.modulate([b"few"]))
    # The variance of a point's energy is below 0.4: five standard errors of their mean.
    assert abs(float(power) - 1) < 5 * (0.4 / 4000) ** 0.5


@pytest.mark.parametrize("length", [b"\xff\xff", b"\x00\x2d", b"\x00\x00"])
def test_a_length_that_cannot_be_is_a_failure(length):
    layer = Transceiver(384, 4, 0.5)
    assert layer.payload(Frame(length + bytes(44), b"")) is None


def test_a_channel_known_to_be_dead_carries_nothing():
    layer = Transceiver(384, 4, 0.5)
    dead = torch.zeros(2, 384, dtype=torch.complex64)
    assert layer.demodulate(Reception(dead, dead, torch.tensor(1.0))) == [None, None]


@pytest.mark.parametrize("size", [0, 45])
def test_a_payload_that_does_not_fit_is_refused(size):
    layer = Transceiver(384, 4, 0.5)
    with pytest.raises(ValueError, match=f"a payload of {size} bytes, where 1 to 44 fit"):
        layer.modulate([b"one", bytes(size)])


@pytest.mark.parametrize("rate", [1 / 12, 0.2, 0.25, 1 / 3, 0.5, 0.92])
def test_there_is_a_code_for_every_budget(rate):
    # At 1/12 the smallest frame of two points holds less than length and checksum.
    for uses in (384 if rate > 0.1 else 768, 2432, 10000, 60000):
        for order in (2, 4, 64, 256):
            assert Transceiver(uses, order, rate).payload_bytes > 0


def test_too_few_channel_uses_are_refused_in_one_line():
    with pytest.raises(SemveilError, match="16 channel uses of 4 points") as caught:
        Transceiver(16, 4, 0.5)
    assert "\n" not in str(caught.value)
