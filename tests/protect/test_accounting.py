"""Budgets against closed forms, Monte Carlo and dp-accounting."""

import math
import time
import tracemalloc
from functools import cache
from itertools import pairwise

import dp_accounting
import pytest
import torch
from dp_accounting.pld import privacy_loss_distribution
from scipy import stats

from semveil.phy import awgn, normalise_power, rayleigh, snr_to_noise_variance
from semveil.protect import accounting
from semveil.protect.accounting import composed_epsilon
from semveil.protect.dp_guarantees import dp_guarantees
from semveil.protect.gaussian import (
    gaussian_delta,
    gaussian_epsilon,
    noise_deviation,
    rayleigh_delta,
    waveform_sensitivity,
)
from semveil.protect.laplace import DpConfig, Laplace
from semveil.rng import generator, normal


@pytest.mark.parametrize("epsilon", [0.05, 0.9, 5.0])
@pytest.mark.parametrize("delta", [1e-5, 0.01])
def test_one_laplace_message_has_its_closed_form(epsilon, delta):
    # δ(e) = 1 − exp((e − ε) / 2) for 0 ≤ e ≤ ε, solved for e.
    expected = epsilon + 2 * math.log1p(-delta)
    assert composed_epsilon(epsilon, 1, delta) == pytest.approx(expected, rel=1e-3)


def test_basic_composition_adds_up_and_the_numerical_one_is_less():
    assert composed_epsilon(0.1, 50) == pytest.approx(5.0)
    spent = [composed_epsilon(0.1, m, 1e-5) for m in (1, 10, 100, 1000)]
    assert spent == sorted(spent)
    assert all(e <= 0.1 * m for e, m in zip(spent, (1, 10, 100, 1000), strict=True))
    assert spent[-1] < 20


def test_many_small_budgets_compose_as_a_gaussian():
    # Central limit: m losses of mean μ and variance v are those of a Gaussian mechanism with
    # (Δ/σ)² = 2mμ, up to the third moment.
    epsilon, messages, delta = 0.02, 5000, 1e-4
    mean = epsilon - 1 + math.exp(-epsilon)
    approximate = gaussian_epsilon(delta, math.sqrt(2 * messages * mean), 1.0)
    assert composed_epsilon(epsilon, messages, delta) == pytest.approx(approximate, rel=0.02)


@cache
def exact_epsilon(epsilon, messages, delta):
    """Return a lower bound of the exact ε, within a millionth: an optimistic, very fine grid."""
    loss = privacy_loss_distribution.from_laplace_mechanism(
        1 / epsilon, pessimistic_estimate=False, value_discretization_interval=epsilon / 20_000
    )
    return float(loss.self_compose(messages).get_epsilon_for_delta(delta))


@pytest.mark.parametrize("steps", [1, 3, 10, 1000])
@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.9, 4.0])
def test_no_grid_is_optimistic(monkeypatch, epsilon, steps):
    for limit in ("_FINEST", "_COARSEST"):
        monkeypatch.setattr(accounting, limit, steps)
    for messages in (1, 2, 20):
        for delta in (1e-6, 1e-3, 0.1):
            found = composed_epsilon(epsilon, messages, delta)
            exact = exact_epsilon(epsilon, messages, delta)
            assert exact <= found + 1e-9
            if steps >= 10:
                assert found <= exact * 1.003 + 1e-6 + epsilon / steps


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.9, 4.0])
def test_advanced_composition_is_not_optimistic(monkeypatch, epsilon):
    monkeypatch.setattr(accounting, "_MOST", 0)
    for messages in (1, 5, 40, 1000):
        for delta in (1e-6, 1e-3, 0.1):
            found = composed_epsilon(epsilon, messages, delta)
            monkeypatch.setattr(accounting, "_MOST", 10**5)
            assert composed_epsilon(epsilon, messages, delta) <= found
            monkeypatch.setattr(accounting, "_MOST", 0)


@pytest.mark.parametrize("messages", [1000, 30_000, 100_000, 10**6, 10**12])
def test_the_cost_of_any_number_of_messages_is_bounded(messages):
    composed_epsilon(0.1, 2, 1e-5)  # imports the library
    tracemalloc.start()
    before = time.process_time()
    found = composed_epsilon(0.1, messages, 1e-5)
    seconds, (_, peak) = time.process_time() - before, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 2
    assert peak < 100e6
    assert 0.1**2 / 2 * 0.96 * messages < found < 0.1 * messages


def test_more_messages_never_need_less():
    counts = [1, 999, 1000, 1001, 30_000, 100_000, 100_001, 10**9]
    for epsilon in (0.01, 0.9):
        spent = [composed_epsilon(epsilon, count, 1e-5) for count in counts]
        # Where the grid changes, by less than its step.
        assert all(later > earlier * (1 - 1e-4) for earlier, later in pairwise(spent))


def test_two_laplace_messages_against_monte_carlo():
    epsilon = 0.9
    for delta in (0.05, 0.2):
        joint = composed_epsilon(epsilon, 2, delta)
        y = stats.laplace.rvs(scale=1 / epsilon, size=(1_000_000, 2), random_state=0)
        loss = torch.as_tensor(epsilon * (abs(y - 1) - abs(y)).sum(1))
        excess = 1 - torch.exp(joint - loss).clamp(max=1)
        # Five standard errors of the mean.
        slack = 5 * excess.std() / 1000
        assert abs(excess.mean() - delta) < slack + 1e-3 * delta


@pytest.mark.parametrize("parts", [2, 5])
def test_a_difference_spread_over_coordinates_protects_no_less(parts):
    # The excess probability δ(e) of a spread pair, by Monte Carlo, stays below the 1-D one.
    epsilon = 3.0
    noise = stats.laplace.rvs(scale=1 / epsilon, size=(400_000, parts), random_state=1)
    loss = torch.as_tensor(epsilon * (abs(noise - 1 / parts) - abs(noise)).sum(1))
    for e in (0.0, 1.0, 2.0, 2.9):
        excess = 1 - torch.exp(e - loss).clamp(max=1)
        assert excess.mean() - 5 * excess.std() / 400_000**0.5 <= 1 - math.exp((e - epsilon) / 2)


@pytest.mark.parametrize("delta", [1e-6, 1e-3, 0.3])
@pytest.mark.parametrize("sigma", [0.05, 0.3, 2.0])
def test_gaussian_agrees_with_dp_accounting(sigma, delta):
    ours = gaussian_epsilon(delta, 1.0, sigma)
    assert ours == pytest.approx(dp_accounting.get_epsilon_gaussian(sigma, delta), abs=1e-6)
    if ours > 0:
        assert gaussian_delta(ours, 1.0, sigma) == pytest.approx(delta, rel=1e-5)


def test_gaussian_at_zero_is_the_total_variation():
    for ratio in (0.1, 1.0, 5.0):
        expected = 2 * stats.norm.cdf(ratio / 2) - 1
        assert gaussian_delta(0.0, ratio, 1.0) == pytest.approx(expected)


def test_only_the_ratio_counts_and_extremes_hold():
    assert gaussian_epsilon(1e-5, 8.0, 2.0) == pytest.approx(gaussian_epsilon(1e-5, 4.0, 1.0))
    assert gaussian_epsilon(0.5, 1e-3, 1.0) == 0.0
    # Far into the tails nothing overflows: (Δ/σ)²/2 = 80,000 is the mean loss.
    assert 80_000 < gaussian_epsilon(1e-5, 400.0, 1.0) < 83_000


def _privacy_loss(count, snr_db, fading):
    """Losses that an Eve with perfect CSI sees, of a waveform and its negative, by our channel."""
    z = normalise_power(normal((1, 4), dtype=torch.complex128, generator=generator(0)))
    z = z.expand(count, 4)
    h = torch.ones(count, 1, dtype=torch.complex128)
    if fading == "rayleigh":
        h = rayleigh(count, dtype=torch.complex128, generator=generator(1)).reshape(count, 1)
    y = awgn(h * z, snr_db, generator=generator(2))
    far, near = ((y - sign * h * z).abs().square().sum(1) for sign in (-1, 1))
    return (far - near) / snr_to_noise_variance(snr_db)


@pytest.mark.parametrize("fading", ["awgn", "rayleigh"])
@pytest.mark.parametrize("snr_db", [-10.0, 0.0])
def test_the_channels_guarantee_is_that_of_the_simulated_channel(fading, snr_db):
    count = 400_000
    loss = _privacy_loss(count, snr_db, fading)
    exact = {"awgn": gaussian_delta, "rayleigh": rayleigh_delta}[fading]
    for epsilon in (0.0, 1.0, 4.0):
        excess = 1 - torch.exp(epsilon - loss).clamp(max=1)
        expected = exact(epsilon, waveform_sensitivity(4), noise_deviation(snr_db))
        # Five standard errors, and a floor for events too rare to have been drawn.
        assert abs(excess.mean() - expected) < 5 * excess.std() / count**0.5 + 1e-5


def test_rayleigh_epsilon_is_consistent_and_its_peaks_help_eve():
    reach, sigma = waveform_sensitivity(8), noise_deviation(0.0)
    for delta in (1e-5, 1e-2):
        faded = gaussian_epsilon(delta, reach, sigma, "rayleigh")
        assert rayleigh_delta(faded, reach, sigma) == pytest.approx(delta, rel=1e-3)
        assert faded > gaussian_epsilon(delta, reach, sigma)


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="no composition"):
        composed_epsilon(0.0, 1)
    with pytest.raises(ValueError, match="no Gaussian mechanism"):
        gaussian_delta(1.0, 1.0, 0.0)
    for delta in (0.0, 1.0):
        with pytest.raises(ValueError, match="δ must lie"):
            gaussian_epsilon(delta, 1.0, 1.0)


def _named(layer, **options):
    return {claim["name"]: claim for claim in dp_guarantees(layer, 5.0, **options)}


def test_claims_say_what_is_protected_and_by_what():
    layer = Laplace(DpConfig(reading="genuine", epsilon=0.5, clip=2.0), 16)
    found = _named(layer, messages=100, delta=1e-6)
    assert found["laplace"] == {
        "name": "laplace",
        "epsilon": 0.5,
        "delta": 0.0,
        "unit": "the image of one message",
        "sensitivity": 4.0,
        "norm": "l1",
        "clipping": "l1 ball of radius 2",
        "assumes": "nothing of Eve",
    }
    assert found["laplace, basic composition"]["epsilon"] == pytest.approx(50.0)
    assert found["laplace, numerical composition"]["epsilon"] < 40
    assert found["channel awgn"]["sensitivity"] == pytest.approx(float(layer.gain) * 4.0)
    assert found["channel awgn"]["norm"] == "l2"
    assert "5 dB" in found["channel rayleigh"]["assumes"]


def test_the_paper_readings_budget_is_never_claimed():
    layer = Laplace(DpConfig(reading="paper", epsilon=0.1), 16)
    found = _named(layer)
    assert found["laplace"]["epsilon"] == pytest.approx(32.0)
    assert min(claim["epsilon"] for claim in found.values()) > 1
    assert found["channel awgn"]["sensitivity"] == pytest.approx(2 * math.sqrt(8))
