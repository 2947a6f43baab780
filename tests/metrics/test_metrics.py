"""Metrics against independent libraries and closed forms."""

import pytest
import torch
from scipy.stats import binomtest
from torchmetrics.functional.image import peak_signal_noise_ratio

from semveil.metrics import bootstrap_mean, bootstrap_quantile, psnr_db, ssim, wilson
from semveil.rng import generator


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (3, 7), (9567, 10000)])
def test_wilson_agrees_with_scipy(hits, n):
    ours = wilson(hits, n)
    theirs = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert ours.value == hits / n


@pytest.mark.parametrize(("hits", "n"), [(1, 0), (5, 4), (-1, 4)])
def test_wilson_refuses_what_is_no_rate(hits, n):
    with pytest.raises(ValueError, match="not a rate"):
        wilson(hits, n)


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    source = generator(7)
    inside = 0
    for trial in range(200):
        values = torch.randn(60, generator=source).exp()
        estimate = bootstrap_mean(values, seed=trial)
        inside += estimate.low <= float(torch.tensor(0.5).exp()) <= estimate.high
    # The percentile bootstrap of 60 skewed values covers a little less than 95 %.
    assert 170 <= inside <= 199


def test_bootstrap_quantile_holds_the_quantile():
    values = torch.linspace(0, 1, 2001)
    estimate = bootstrap_quantile(values, 0.05)
    assert estimate.value == pytest.approx(0.05, abs=1e-6)
    assert 0.03 < estimate.low < 0.05 < estimate.high < 0.07


def test_psnr_agrees_with_torchmetrics_on_8_bit_images():
    source = generator(0)
    original = torch.randint(0, 256, (5, 3, 16, 16), generator=source) / 255
    noisy = (original + 0.1 * torch.randn(original.shape, generator=source)).clamp(0, 1)
    rounded = (noisy * 255).round() / 255
    each = [
        float(peak_signal_noise_ratio(a, b, data_range=1.0))
        for a, b in zip(rounded, original, strict=True)
    ]
    assert psnr_db(noisy, original).tolist() == pytest.approx(each, abs=1e-3)


def test_a_perfect_reconstruction_has_the_psnr_of_rounding():
    x = torch.rand(2, 1, 8, 8, generator=generator(1))
    assert psnr_db(x, x).tolist() == pytest.approx([58.92, 58.92], abs=0.01)


def test_ssim_orders_damage_and_serves_tiny_images():
    x = torch.rand(4, 1, 8, 8, generator=generator(2))
    slight = x + 0.02 * torch.randn(x.shape, generator=generator(3))
    heavy = x + 0.5 * torch.randn(x.shape, generator=generator(3))
    assert ssim(x, x).tolist() == pytest.approx([1.0] * 4)
    assert bool((ssim(slight, x) > ssim(heavy, x)).all())
    assert bool(torch.isfinite(ssim(heavy, x)).all())


def test_bootstrap_quantile_agrees_with_drawn_resamples():
    values = torch.randn(1500, generator=generator(4)).double()
    rows = torch.randint(len(values), (2000, len(values)), generator=generator(5))
    drawn = torch.quantile(values[rows], 0.05, dim=1)
    low, high = torch.quantile(drawn, torch.tensor([0.025, 0.975]).double()).tolist()
    estimate = bootstrap_quantile(values, 0.05)
    # Between neighbouring order statistics, and the noise of 2000 resamples.
    assert estimate.low == pytest.approx(low, abs=0.03)
    assert estimate.high == pytest.approx(high, abs=0.03)
