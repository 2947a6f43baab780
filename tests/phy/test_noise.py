"""The noise has the variance that the SNR asks for, image by image."""

import math

import pytest
import torch
from scipy import stats

from semveil.phy import awgn, measured_snr_db, noise_variance_to_snr_db, snr_to_noise_variance
from semveil.rng import generator


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 7.3, 30.0])
def test_measured_snr_is_the_nominal_one(snr_db):
    z = torch.polar(torch.ones(2, 200_000), 6.28 * torch.rand(2, 200_000))
    y = awgn(z, snr_db, generator=generator(0, "awgn"))
    assert (measured_snr_db(z, y) - snr_db).abs().max() < 0.05


def test_every_image_has_its_own_snr():
    snr_db = torch.tensor([0.0, 5.0, 12.0, 25.0])
    z = torch.ones(4, 20, 10_000, dtype=torch.complex64)
    y = awgn(z, snr_db, generator=generator(1, "awgn"))
    assert (measured_snr_db(z, y) - snr_db).abs().max() < 0.05


def test_noise_does_not_follow_the_power_of_the_batch():
    z = torch.ones(2, 200_000, dtype=torch.complex64)
    z[0] *= 100
    w = awgn(z, 10.0, generator=generator(2)) - z
    torch.testing.assert_close(w.abs().square().mean(1), torch.full((2,), 0.1), rtol=0.01, atol=0)


def test_noise_is_circular_and_gaussian():
    w = awgn(torch.zeros(1, 100_000, dtype=torch.complex64), 0.0, generator=generator(3))[0]
    sigma = math.sqrt(0.5)
    assert stats.kstest(w.real.numpy(), stats.norm(scale=sigma).cdf).pvalue > 0.01
    assert stats.kstest(w.imag.numpy(), stats.norm(scale=sigma).cdf).pvalue > 0.01
    assert abs((w * w).mean()) < 0.02


def test_the_seed_decides():
    z = torch.zeros(2, 8, dtype=torch.complex64)
    first, again, other = (awgn(z, 3.0, generator=generator(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_dtype_is_kept(dtype):
    z = torch.zeros(2, 3, dtype=dtype)
    assert awgn(z, torch.tensor([1.0, 2.0], dtype=torch.float64)).dtype == dtype
    assert awgn(z, 1.0).dtype == dtype


@pytest.mark.parametrize("snr_db", [torch.zeros(3), torch.zeros(2, 2), torch.zeros(2, 1)])
def test_an_snr_for_another_batch_is_refused(snr_db):
    with pytest.raises(ValueError, match="neither one value nor one for each of 2 images"):
        awgn(torch.zeros(2, 5, dtype=torch.complex64), snr_db)


def test_real_symbols_are_refused():
    with pytest.raises(ValueError, match="complex"):
        awgn(torch.zeros(2, 5), 10.0)


def test_conversions_are_inverse():
    snr_db = torch.linspace(-20, 40, 13, dtype=torch.float64)
    torch.testing.assert_close(noise_variance_to_snr_db(snr_to_noise_variance(snr_db)), snr_db)
