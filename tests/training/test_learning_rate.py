"""The learning rate: a ramp of one twentieth, then half a cosine down to zero."""

import math

import pytest

from semveil.training.loop import learning_rate


def test_it_is_the_ramp_and_the_half_cosine():
    # 400 steps: 20 of ramp, 380 of cosine; values by hand.
    assert learning_rate(2.0, 0, 400) == pytest.approx(2.0 / 20)
    assert learning_rate(2.0, 9, 400) == pytest.approx(2.0 / 2)
    assert learning_rate(2.0, 19, 400) == pytest.approx(2.0)
    assert learning_rate(2.0, 20, 400) == pytest.approx(2.0)
    assert learning_rate(2.0, 20 + 95, 400) == pytest.approx(1 + math.sqrt(0.5))
    assert learning_rate(2.0, 20 + 190, 400) == pytest.approx(1.0)
    assert learning_rate(2.0, 20 + 285, 400) == pytest.approx(1 - math.sqrt(0.5))
    assert learning_rate(2.0, 400, 400) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 3, 19, 20, 21, 1000])
def test_it_is_positive_at_every_step_and_never_above_its_peak(steps):
    rates = [learning_rate(1e-3, step, steps) for step in range(steps)]
    assert all(0 < rate <= 1e-3 for rate in rates)
    assert max(rates) == 1e-3
    peak = rates.index(1e-3)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_the_sum_over_all_steps_is_that_of_ramp_and_cosine():
    # Ramp: (1 + 2 + … + 50)/50 = 25.5; cosine: its mean is 1/2, and its first term is the peak.
    total = sum(learning_rate(1.0, step, 1000) for step in range(1000))
    assert total == pytest.approx(25.5 + 950 / 2 + 0.5, rel=1e-9)
