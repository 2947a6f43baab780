"""The laws of the fading models, image by image."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from semveil.phy import exponential_profile, flat, multipath_taps, rayleigh, rician
from semveil.rng import generator

MANY = 100_000


def _uncorrelated(a, b):
    """Whether two complex samples of unit power are uncorrelated, to five standard errors."""
    return abs((a * b.conj()).mean()) < 5 / math.sqrt(len(a))


def test_rayleigh_power_is_exponential_and_phase_uniform():
    h = rayleigh(MANY, generator=generator(0, "rayleigh"))[:, 0]
    assert stats.kstest(h.abs().square().numpy(), stats.expon.cdf).pvalue > 0.01
    phase = h.angle().numpy()
    assert stats.kstest(phase, stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 0.01


@pytest.mark.parametrize(
    "draw", [rayleigh, lambda n, generator: rician(n, 0.0, generator=generator)]
)
def test_images_fade_independently(draw):
    h = draw(MANY, generator=generator(1, "independent"))[:, 0]
    assert _uncorrelated(h[:-1], h[1:])
    assert _uncorrelated(h[: MANY // 2], h[MANY // 2 :])
    assert len(np.unique(h.numpy())) == MANY


@pytest.mark.parametrize("k_factor_db", [-5.0, 0.0, 10.0])
def test_rician_power_and_k_factor(k_factor_db):
    h = rician(MANY, k_factor_db, generator=generator(2, "rician")).abs().square()[:, 0].double()
    k = 10 ** (k_factor_db / 10)
    assert h.mean().item() == pytest.approx(1, abs=0.02)
    # noncentral chi-square: var |h|² = (2K+1)/(K+1)²
    assert h.var().item() == pytest.approx((2 * k + 1) / (k + 1) ** 2, rel=0.03)
    law = stats.rice(b=math.sqrt(2 * k), scale=math.sqrt(0.5 / (k + 1)))
    assert stats.kstest(h.sqrt().numpy(), law.cdf).pvalue > 0.01


def test_rician_line_of_sight_has_a_phase_of_its_own_in_every_image():
    h = rician(MANY, 30.0, generator=generator(3))[:, 0]
    law = stats.uniform(-math.pi, 2 * math.pi)
    assert stats.kstest(h.angle().numpy(), law.cdf).pvalue > 0.01


def test_rician_takes_one_k_factor_per_image():
    k = torch.tensor([-300.0, 300.0]).repeat(MANY // 2)
    power = rician(MANY, k, generator=generator(4))[:, 0].abs().square()
    torch.testing.assert_close(power[1::2], torch.ones(MANY // 2))
    assert stats.kstest(power[::2].numpy(), stats.expon.cdf).pvalue > 0.01


def test_flat_fading_applies_one_number_per_image():
    h = torch.tensor([[2j], [0.5]])
    z = torch.ones(2, 3, 4, dtype=torch.complex64)
    torch.testing.assert_close(flat(h, z), torch.stack([2j * z[0], 0.5 * z[1]]))
    torch.testing.assert_close(flat(h[:, 0], z), flat(h, z))


def test_one_draw_is_not_shared_by_a_batch():
    with pytest.raises(ValueError, match="1 fading coefficients for 4 images"):
        flat(rayleigh(1), torch.ones(4, 8, dtype=torch.complex64))


def test_taps_follow_the_profile():
    profile = exponential_profile(8, 4.0)
    assert profile.sum().item() == pytest.approx(1)
    torch.testing.assert_close(profile[1:] / profile[:-1], torch.full((7,), math.exp(-1 / 4)))
    taps = multipath_taps(MANY, profile, generator=generator(5))
    power = taps.abs().square()
    torch.testing.assert_close(power.mean(0), profile, rtol=0.03, atol=0)
    assert power.sum(1).mean().item() == pytest.approx(1, abs=0.01)
    unit = taps / profile.sqrt()
    assert stats.kstest(unit[:, 7].abs().square().numpy(), stats.expon.cdf).pvalue > 0.01
    assert _uncorrelated(unit[:, 0], unit[:, 1])
    assert _uncorrelated(unit[: MANY // 2, 0], unit[MANY // 2 :, 0])


@pytest.mark.parametrize(("taps", "decay"), [(0, 1.0), (4, 0.0), (4, float("nan"))])
def test_impossible_profiles_are_refused(taps, decay):
    with pytest.raises(ValueError, match="positive decay"):
        exponential_profile(taps, decay)
