"""The digital link: what Bob decides is what Alice chose, at the power and error rate of QAM."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.links.digital import DigitalLink, symbols_per_token
from semveil.nets.codebook import Codebook
from semveil.nets.task import TokenClassifier, TokenEncoder
from semveil.phy import average_power
from semveil.phy.qam import Constellation
from semveil.protect.laplace import DpConfig, Laplace
from semveil.rng import generator, seeded, uniform


class Spell(nn.Module):
    """Alice's encoder for a test: a pixel is the index of its codeword, times 255."""

    def __init__(self, words: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("words", words.detach().clone())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.words[(images * 255).round().long().flatten(1)]


def spelling(kind, order, size, channel="awgn", rule="nearest"):
    with seeded(0, "codebook"):
        codebook = Codebook(size, 16, rule)
    with torch.no_grad():
        # Of one length, so that the largest inner product of a codeword is with itself.
        codebook.words.copy_(F.normalize(codebook.words, dim=1) * 4)
    return DigitalLink(
        Spell(codebook.words),
        nn.Identity(),
        Channel(channel),
        codebook,
        Constellation(kind, order),
    ).eval()


def drawn(size, *shape):
    return torch.randint(0, size, shape, generator=generator(0, "indices"))


def written(indices):
    return indices.reshape(len(indices), 1, 1, -1) / 255


@pytest.mark.parametrize("rule", ["gumbel", "nearest"])
@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
@pytest.mark.parametrize(
    ("kind", "order", "size"),
    [
        ("qam", 2, 2),
        ("qam", 2, 16),
        ("qam", 4, 4),
        ("qam", 8, 64),
        ("qam", 16, 16),
        ("qam", 16, 256),
        ("qam", 64, 64),
        ("qam", 256, 256),
        ("psk", 2, 4),
        ("psk", 4, 16),
        ("psk", 8, 8),
        ("psk", 16, 256),
        ("psk", 64, 64),
    ],
)
def test_bob_decides_for_what_alice_chose(kind, order, size, channel, rule):
    link = spelling(kind, order, size, channel, rule)
    indices = drawn(size, 40, 12)
    waveform = link.transmit(written(indices))
    assert waveform.shape == (40, 12 * round(math.log(size, order)))
    heard = link.channel(waveform, 120.0, generator=generator(1)).features()
    assert torch.equal(link.indices(heard), indices)
    assert torch.allclose(link.decode(heard).logits, link.codebook.words[indices], atol=1e-5)


def test_the_gain_does_not_touch_the_decisions():
    link = spelling("qam", 16, 16)
    indices = drawn(16, 20, 8)
    link.power.fill_(0.2)
    waveform = link.transmit(written(indices))
    assert float(average_power(waveform).mean()) == pytest.approx(5.0, rel=0.1)
    assert torch.equal(link.indices(link.channel(waveform, 100.0).features()), indices)


@pytest.mark.parametrize("snr_db", [8.0, 12.0, 16.0])
def test_the_symbol_error_rate_is_that_of_16_qam(snr_db):
    link = spelling("qam", 16, 16)
    indices = drawn(16, 2000, 64)
    waveform = link.transmit(written(indices))
    received = link.indices(link.channel(waveform, snr_db, generator=generator(2)).features())
    # Every symbol apart: Q(x) = erfc(x/√2)/2, (1 − 1/√M) = 3/4, distance from 3·SNR/(M − 1).
    q = 0.5 * math.erfc(math.sqrt(3 * 10 ** (snr_db / 10) / 15) / math.sqrt(2))
    expected = 1 - (1 - 1.5 * q) ** 2
    found = float((received != indices).float().mean())
    # 99.9 % of all samples of this size.
    assert abs(found - expected) < 3.29 * math.sqrt(expected * (1 - expected) / indices.numel())


def test_calibration_gives_the_training_images_unit_mean_power_and_counts_for_the_errors():
    link = spelling("qam", 16, 16)
    # The four corners of the square, three times in four: louder than the square's average.
    corners = link.table.square().sum(1).argsort()[-4:]
    loud = torch.rand(1200, 64, generator=generator(3)) < 0.75
    indices = torch.where(loud, corners[drawn(4, 1200, 64)], drawn(16, 1200, 64))
    stored = indices.to(torch.uint8).reshape(1200, 1, 8, 8)
    link.calibrate(stored)
    waveform = link.transmit(stored / 255)
    powers = average_power(waveform)
    assert float(powers.mean()) == pytest.approx(1.0, abs=1e-5)
    assert float(powers.std()) > 0.01
    assert float(link.power) == pytest.approx(0.25 + 0.75 * 1.8, abs=0.02)
    assert link.fixed_gain
    # Corners err on each axis to one side only: Q at a distance shrunk by the gain.
    received = link.indices(link.channel(waveform, 10.0, generator=generator(4)).features())
    q = 0.5 * math.erfc(math.sqrt(3 * 10 / float(link.power) / 15) / math.sqrt(2))
    at_corner = torch.isin(indices, corners)
    found = float((received != indices)[at_corner].float().mean())
    expected = 1 - (1 - q) ** 2
    assert abs(found - expected) < 3.29 * math.sqrt(expected / int(at_corner.sum()))


def test_calibration_leaves_training_and_evaluation_as_they_were():
    link = small("nearest").train()
    link.calibrate(torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8))
    assert link.training
    assert link.encoder.training


def test_calibration_draws_noise_from_a_generator():
    link = small("nearest", mechanism=Laplace(DpConfig(epsilon=1.0, scale=1.0), 4 * 8))
    stored = torch.randint(0, 256, (50, 1, 8, 8), dtype=torch.uint8, generator=generator(5))
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        link.calibrate(stored)
        found.append(float(link.power))
    assert found[0] == found[1]


def test_psk_has_unit_power_in_every_symbol_always():
    link = small("gumbel", kind="psk").train()
    images = uniform((30, 1, 8, 8), generator=generator(6))
    for step in range(3):
        sent = link.exchange(images, 10.0, generator(step))
        assert torch.allclose(sent.waveform.abs(), torch.ones(30, 4), atol=1e-5)
    link.calibrate(torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8))
    assert torch.allclose(link.eval().transmit(images).abs(), torch.ones(30, 4), atol=1e-5)
    assert not link.fixed_gain


def small(rule, kind="qam", mechanism=None):
    with seeded(0, "link"):
        return DigitalLink(
            TokenEncoder((1, 8, 8), (2, 2), 8, 4),
            TokenClassifier((2, 2), 8, 16, 10),
            Channel("awgn"),
            Codebook(16, 8, rule),
            Constellation(kind, 16),
            entropy_weight=0.1,
            mechanism=mechanism,
        )


@pytest.mark.parametrize("rule", ["gumbel", "nearest"])
@pytest.mark.parametrize("what", ["answer", "waveform", "information"])
def test_everything_that_training_wants_reaches_the_encoder(rule, what):
    link = small(rule).train()
    sent = link.exchange(uniform((16, 1, 8, 8), generator=generator(7)), 10.0, generator(8))
    if what == "answer":
        wanted = F.cross_entropy(sent.answer.logits, torch.arange(16) % 10)
    elif what == "waveform":
        # Power alone, |z|², has a slope for QAM: its points differ in it.
        wanted = torch.view_as_real(sent.waveform).pow(3).sum()
    else:
        wanted = sent.information
    slopes = torch.autograd.grad(wanted, list(link.encoder.parameters()), allow_unused=True)
    assert all(slope is not None for slope in slopes)
    assert sum(float(slope.abs().sum()) for slope in slopes) > 1e-4


def test_training_hears_the_channels_errors():
    link = small("gumbel").train()
    images = uniform((64, 1, 8, 8), generator=generator(9))
    seen = []
    link.classifier.register_forward_pre_hook(lambda module, args: seen.append(args[0].detach()))
    for snr_db in (60.0, -20.0):
        link.exchange(images, snr_db, generator(10))
    # The same draws of codewords: whatever differs, the channel did.
    differ = (seen[0] - seen[1]).abs().amax(2) > 1e-3
    assert 0.8 < float(differ.float().mean()) < 1
    words = link.codebook.words.detach()
    for looked_up in seen:
        assert float((looked_up.unsqueeze(2) - words).abs().amax(3).amin(2).max()) < 1e-4


def test_losses_of_the_two_rules():
    images = uniform((16, 1, 8, 8), generator=generator(11))
    gumbel = small("gumbel").train()
    choice = gumbel.codebook(gumbel.tokens(images), generator(12))
    losses = gumbel.exchange(images, 10.0, generator(12)).losses
    assert losses.keys() == {"entropy"}
    assert float(losses["entropy"]) == pytest.approx(-0.1 * float(choice.entropy()), rel=1e-4)
    nearest = small("nearest").eval()
    tokens = nearest.tokens(images).detach()
    words = nearest.codebook.words.detach()
    distance = float(torch.cdist(tokens, words.expand(16, -1, -1)).amin(2).square().mean() / 8)
    losses = nearest.exchange(images, 10.0, generator(12)).losses
    assert {name: float(loss) for name, loss in losses.items()} == pytest.approx(
        {"codebook": distance, "commitment": 0.25 * distance}, rel=1e-4
    )


def test_what_bob_makes_of_a_reception_has_a_slope_for_who_wants_to_disturb_it():
    link = small("nearest").eval()
    images = uniform((8, 1, 8, 8), generator=generator(13))
    waveform = link.transmit(images).detach()
    injected = torch.zeros_like(waveform).requires_grad_()
    answer = link(images, 10.0, generator=generator(14), injected=injected)
    plain = link(images, 10.0, generator=generator(14))
    assert torch.allclose(answer.logits, plain.logits, atol=1e-4)
    slope = torch.autograd.grad(F.cross_entropy(answer.logits, torch.arange(8)), injected)[0]
    assert float(slope.abs().sum()) > 0


@pytest.mark.parametrize(("size", "order"), [(24, 16), (8, 16), (2, 4), (32, 64), (512, 16)])
def test_a_codebook_that_no_whole_number_of_symbols_carries_is_refused(size, order):
    with pytest.raises(SemveilError, match=rf"^codebook\.size: {size} codewords"):
        symbols_per_token(size, order)


@pytest.mark.parametrize(("size", "order", "symbols"), [(16, 16, 1), (2, 2, 1), (4096, 16, 3)])
def test_symbols_of_a_token(size, order, symbols):
    assert symbols_per_token(size, order) == symbols
