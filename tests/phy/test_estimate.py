"""Estimators and equalisers reach the errors that theory gives them."""

import pytest
import torch

from semveil.phy import (
    OFDM,
    awgn,
    exponential_profile,
    flat,
    frequency_response,
    least_squares,
    least_squares_flat,
    lmmse_flat,
    lmmse_multipath,
    mmse,
    multipath_taps,
    noise_variance_to_snr_db,
    rayleigh,
    zadoff_chu,
    zero_forcing,
)
from semveil.rng import generator, normal

MANY = 100_000


def _mse(a, b):
    return (a - b).abs().square().mean().item()


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 15.0])
@pytest.mark.parametrize("n_pilots", [1, 4])
def test_flat_estimators_reach_their_theoretical_error(snr_db, n_pilots):
    pilots, variance = zadoff_chu(n_pilots), 10 ** (-snr_db / 10)
    h = rayleigh(MANY, generator=generator(0, "h"))
    y = awgn(flat(h, pilots.expand(MANY, -1)), snr_db, generator=generator(0, "w"))
    # relative standard error of a mean of exponentials: 1/√MANY = 0.3 %
    ls = variance / n_pilots
    assert _mse(least_squares_flat(y, pilots), h) == pytest.approx(ls, rel=0.015)
    lmmse = variance / (n_pilots + variance)
    assert _mse(lmmse_flat(y, pilots, variance), h) == pytest.approx(lmmse, rel=0.015)
    torch.testing.assert_close(
        least_squares(y, pilots).mean(1, True), least_squares_flat(y, pilots)
    )


def test_flat_lmmse_takes_one_noise_variance_per_image():
    pilots = 2 * zadoff_chu(3)
    y = normal((2, 3), dtype=torch.complex64, generator=generator(1))
    both = lmmse_flat(y, pilots, torch.tensor([0.1, 2.0]))
    torch.testing.assert_close(both[0], lmmse_flat(y[:1], pilots, 0.1)[0])
    torch.testing.assert_close(both[1], lmmse_flat(y[1:], pilots, 2.0)[0])


def test_multipath_lmmse_is_the_covariance_filter():
    n, profile = 16, exponential_profile(5, 2.0, dtype=torch.float64)
    variance = torch.tensor([0.01, 0.3, 5.0], dtype=torch.float64)
    h_ls = normal((3, n), dtype=torch.complex128, generator=generator(2))
    f = torch.fft.fft(torch.eye(n, dtype=torch.complex128))[:, :5]
    r = f @ torch.diag(profile + 0j) @ f.mH
    noise = variance.reshape(3, 1, 1) * torch.eye(n)
    filters = r @ torch.linalg.inv(r + noise)
    h, error = lmmse_multipath(h_ls, profile, variance)
    torch.testing.assert_close(h, (filters @ h_ls.unsqueeze(-1)).squeeze(-1))
    residual = torch.diagonal(r - filters @ r, dim1=1, dim2=2).real
    torch.testing.assert_close(error.unsqueeze(1).expand(-1, n), residual)


@pytest.mark.parametrize("lmmse", [False, True])
def test_ofdm_estimators_reach_the_error_that_they_state(lmmse):
    ofdm, profile, images = OFDM(32, 8, 2), exponential_profile(6, 3.0), 20_000
    variance = 0.2
    h = frequency_response(multipath_taps(images, profile, generator=generator(3, "h")), 32)
    sent = ofdm.pilots() * h.unsqueeze(1).expand(-1, 2, -1)
    y = awgn(sent, noise_variance_to_snr_db(variance), generator=generator(3, "w"))
    estimate, error = ofdm.estimate(y, variance, profile=profile if lmmse else None)
    assert _mse(estimate, h) == pytest.approx(error.item(), rel=0.015)
    if not lmmse:
        assert error.item() == pytest.approx(variance / 2)


def test_mmse_minimises_and_zero_forcing_inverts():
    h = rayleigh(MANY, generator=generator(4, "h"))
    z = normal((MANY, 1), dtype=torch.complex64, generator=generator(4, "z"))
    y = awgn(h * z, 3.0, generator=generator(4, "w"))
    variance = 10**-0.3
    best = _mse(mmse(y, h, variance), z)
    theory = (variance / (h.abs().square() + variance)).mean().item()
    assert best == pytest.approx(theory, rel=0.02)
    for factor in (0.7, 1.4):
        assert _mse(mmse(y, h, factor * variance), z) > best
    torch.testing.assert_close(zero_forcing(h * z, h), z, rtol=1e-4, atol=1e-4)


def test_equalisers_broadcast_over_subcarriers_and_images():
    y = normal((2, 3, 4), dtype=torch.complex64, generator=generator(5, "y"))
    h = normal((2, 1, 4), dtype=torch.complex64, generator=generator(5, "h"))
    variance = torch.tensor([0.1, 1.0])
    out = mmse(y, h, variance)
    i, s, n = 1, 2, 3
    expected = h[i, 0, n].conj() * y[i, s, n] / (h[i, 0, n].abs() ** 2 + 1.0)
    torch.testing.assert_close(out[i, s, n], expected)
    with pytest.raises(ValueError, match="noise_variance"):
        mmse(y, h, torch.ones(3))


def test_a_profile_longer_than_a_symbol_is_refused():
    with pytest.raises(ValueError, match="8 taps does not fit 4 subcarriers"):
        lmmse_multipath(torch.ones(1, 4) + 0j, exponential_profile(8, 1.0), 0.1)
