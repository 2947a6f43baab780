"""Schmidl and Cox's metric: its definition, its distribution in noise, and what is no plateau."""

import pytest
import torch
from scipy import stats

from semveil.phy.schmidl_cox import schmidl_cox, schmidl_cox_threshold
from semveil.rng import generator, normal


def _noise(n, name="noise"):
    return normal((n,), dtype=torch.complex64, generator=generator(0, name))


def test_the_metric_is_the_squared_correlation_coefficient_at_every_position():
    x, half = _noise(150) + 0.3j, 17
    metric, inner = schmidl_cox(x, half)
    assert len(metric) == len(x) - 2 * half + 1
    for place in range(len(metric)):
        first, second = x[place : place + 2 * half].to(torch.complex128).split(half)
        first, second = first - first.mean(), second - second.mean()
        product = (first.conj() * second).sum()
        power = first.abs().square().sum() * second.abs().square().sum()
        assert metric[place].item() == pytest.approx((product.abs() ** 2 / power).item(), abs=1e-5)
        torch.testing.assert_close(inner[place], product.to(torch.complex64), atol=1e-4, rtol=1e-4)


def test_in_noise_of_any_level_it_is_beta_distributed():
    half, windows = 32, 4000
    x = 1e-3 * _noise(2 * half * windows)
    metric = schmidl_cox(x, half)[0][:: 2 * half]
    assert stats.kstest(metric.numpy(), stats.beta(1, half - 2).cdf).pvalue > 0.01


@pytest.mark.parametrize("probability", [1e-1, 1e-3, 1e-9])
def test_the_threshold_is_the_quantile_of_that_distribution(probability):
    expected = stats.beta(1, 254).isf(probability)
    assert schmidl_cox_threshold(256, probability) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("turns", [-0.4, 0.1, 0.45])
def test_the_angle_is_the_frequency_offset(turns):
    half = _noise(64)
    sent = torch.cat([half, half]) * torch.exp(2j * torch.pi * turns / 64 * torch.arange(128))
    metric, inner = schmidl_cox(sent, 64)
    assert inner.angle().item() / (2 * torch.pi) == pytest.approx(turns, abs=1e-5)
    assert metric.item() == pytest.approx(1, abs=0.02)


def test_an_offset_at_dc_and_silence_are_no_plateau():
    assert schmidl_cox(_noise(4000) + 30, 64)[0].max() < 0.3
    assert schmidl_cox(torch.zeros(4000) + 1e-3j, 64)[0].max() < 0.3
    silent = torch.cat([torch.zeros(2000), 1e-12 * _noise(1).real.expand(2000), _noise(4000)])
    assert schmidl_cox(silent.to(torch.complex64), 64)[0].isfinite().all()
    assert schmidl_cox(silent.to(torch.complex64), 64)[0].max() < 0.3


def test_a_long_stream_loses_no_precision():
    x = _noise(300_000)
    x[:1000] *= 1e3
    long, _ = schmidl_cox(x, 64)
    short, _ = schmidl_cox(x[-2000:], 64)
    torch.testing.assert_close(long[-len(short) :], short, atol=1e-5, rtol=1e-4)


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="two halves"):
        schmidl_cox(_noise(10), 8)
