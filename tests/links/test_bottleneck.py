"""The bottleneck link: its price against the integral, and gates that switch features off."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import integrate

from semveil.channel import Channel
from semveil.links.bottleneck import BottleneckLink, log_uniform_kl, noise_per_real
from semveil.nets.dense import Mlp
from semveil.nets.task import GatedEncoder
from semveil.phy import average_power
from semveil.protect.laplace import DpConfig, Laplace
from semveil.rng import generator, seeded, uniform

DIM = 8


def true_kl(ratio):
    """Return KL(N(θ, σ²) ‖ log-uniform) for θ/σ, with the constant that makes it 0 at θ = 0.

    ``E ln|θ/σ + ε| + (γ + ln 2)/2``: the entropy of the Gaussian does not depend on θ.
    """

    def integrand(noise):
        return math.log(abs(ratio + noise)) * math.exp(-(noise**2) / 2) / math.sqrt(2 * math.pi)

    if ratio < 30:
        inner = [-ratio] if ratio < 9 else []
        mean, _ = integrate.quad(integrand, -9, 9, points=inner or None, limit=200)
    else:
        mean = math.log(ratio)
    return mean + (0.5772156649 + math.log(2)) / 2


@pytest.mark.parametrize("ratio", [0.0, 0.05, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0])
@pytest.mark.parametrize("sigma", [0.05, 0.7])
def test_the_price_is_that_of_the_integral(ratio, sigma):
    found = log_uniform_kl(torch.tensor([[ratio * sigma]]), torch.tensor(sigma))
    # The approximation of Molchanov et al. is good to about 0.01 nats.
    assert float(found) == pytest.approx(true_kl(ratio), abs=0.012)


def test_the_price_is_a_sum_over_reals_and_grows_with_each():
    sent = torch.tensor([[0.1, -0.5, 2.0], [0.1, 0.5, 2.0]])
    sigma = torch.tensor([[0.2], [0.2]])
    both = log_uniform_kl(sent, sigma)
    assert float(both[0]) == pytest.approx(float(both[1]))
    each = sum(float(log_uniform_kl(sent[:1, i : i + 1], sigma[:1])) for i in range(3))
    assert float(both[0]) == pytest.approx(each, rel=1e-5)
    louder = log_uniform_kl(sent[:1] * 1.1, sigma[:1])
    assert float(louder) > float(both[0])
    noisier = log_uniform_kl(sent, torch.tensor([[0.2], [0.4]]))
    assert float(noisier[1]) < float(noisier[0])


def test_the_slope_at_zero_is_finite():
    sent = torch.zeros(1, 4, requires_grad=True)
    log_uniform_kl(sent, torch.tensor(0.1)).sum().backward()
    assert torch.isfinite(sent.grad).all()


@pytest.mark.parametrize("snr_db", [-3.0, 0.0, 12.0])
def test_noise_per_real_is_what_the_channel_adds(snr_db):
    sent = torch.zeros(2000, 50, dtype=torch.complex64)
    heard = Channel("awgn")(sent, snr_db, generator=generator(0)).symbols
    measured = torch.view_as_real(heard).std()
    assert float(measured) == pytest.approx(float(noise_per_real(snr_db)), rel=0.01)


def link_of(variable=False, threshold=0.01, mechanism=None):
    with seeded(0, "link"):
        return BottleneckLink(
            GatedEncoder((1, 8, 8), DIM, 4, variable),
            Mlp(DIM + 1, (16,), 10),
            Channel("awgn"),
            12.0,
            threshold,
            mechanism,
        )


def images(count=6):
    return uniform((count, 1, 8, 8), generator=generator(1))


def halfway(link):
    """Return a threshold that lies between the fourth gate and the fifth."""
    gates = link.encoder.gate(noise_per_real(12.0).reshape(1, 1))[0]
    return float(gates[3:5].detach().mean())


def reals(waveform):
    return torch.view_as_real(waveform).flatten(1)


def test_features_under_the_threshold_are_silent_after_training_and_their_power_is_the_others():
    link = link_of()
    link.threshold = halfway(link)
    assert torch.all(reals(link.train().transmit(images())).abs().amin(1) > 0)
    waveform = link.eval().transmit(images())
    assert torch.all(reals(waveform)[:, 4:] == 0)
    assert torch.all(reals(waveform)[:, :4] != 0)
    assert torch.allclose(average_power(waveform), torch.ones(6), atol=1e-5)
    assert link.active(12.0) == 4


def test_a_better_channel_needs_no_more_features():
    link = link_of(variable=True)
    gates = torch.cat(
        [link.encoder.gate(noise_per_real(snr_db).reshape(1, 1)) for snr_db in (0.0, 20.0)]
    ).detach()
    # Between what the last gate is on a bad channel and on a good one.
    link.threshold = float(gates[:, -1].mean())
    active = [link.active(snr_db) for snr_db in (0.0, 5.0, 10.0, 15.0, 20.0)]
    assert active == sorted(active, reverse=True)
    assert active[0] == DIM > active[-1]


def test_gates_follow_the_snr_that_alice_is_told():
    link = link_of(variable=True).eval()
    link.threshold = 0.0
    told = link.exchange(images(), torch.tensor([0.0, 20.0] * 3), generator(2)).waveform
    for row, snr_db in ((0, 0.0), (1, 20.0)):
        link.snr_db = snr_db
        assert torch.allclose(told[row], link.transmit(images())[row], atol=1e-5)


def test_training_pays_for_what_is_transmitted():
    link = link_of().train()
    sent = link.exchange(images(), 12.0, generator(3))
    price = log_uniform_kl(reals(sent.waveform), noise_per_real(12.0)).mean()
    assert float(sent.information.detach()) == pytest.approx(float(price.detach()), rel=1e-5)
    slope = torch.autograd.grad(sent.information, link.encoder.body.project.weight)[0]
    assert float(slope.abs().sum()) > 0


def test_the_price_at_an_snr_of_its_own_for_each_image():
    link = link_of().train()
    snrs = torch.tensor([0.0, 5.0, 10.0, 12.0, 15.0, 20.0])
    sent = link.exchange(images(), snrs, generator(3))
    prices = log_uniform_kl(reals(sent.waveform), noise_per_real(snrs).unsqueeze(1))
    assert float(sent.information.detach()) == pytest.approx(
        float(prices.detach().mean()), rel=1e-5
    )


def test_the_expected_waveform_is_the_sent_one_without_the_noise():
    plain = link_of().eval()
    assert torch.equal(plain.expected(images()), plain.transmit(images()))
    faint = link_of(mechanism=Laplace(DpConfig(epsilon=1.0, scale=1e-6), DIM)).eval()
    faint.threshold = halfway(faint)
    expected = faint.expected(images())
    assert torch.allclose(expected, faint.transmit(images(), generator(4)), atol=1e-4)
    assert torch.all(reals(expected)[:, 4:] == 0)
