"""Intervals of medians and of fitted exponents cover what they should."""

from __future__ import annotations

import random

import pytest

from semveil.metrics.intervals import median_of
from semveil.metrics.powerlaw import fit_power_law


def test_the_interval_of_a_median_covers_it():
    # Exponential, median ln 2; with n = 8 the whole range covers 99.2 %, with 20 the 6th to 15th
    # value 95.9 %. Of 2000 trials, four standard deviations of either.
    source = random.Random(0)
    for n, share in ((8, 0.9922), (20, 0.9586)):
        found = [median_of([source.expovariate(1.0) for _ in range(n)]) for _ in range(2000)]
        covered = sum(each.low <= 0.693147 <= each.high for each in found) / 2000
        assert abs(covered - share) < 4 * (share * (1 - share) / 2000) ** 0.5
    with pytest.raises(ValueError, match="no value"):
        median_of([])


def test_the_interval_of_an_exponent_covers_it():
    source = random.Random(1)
    x = [1, 2, 4, 8, 16, 32]
    hits = inside = 0
    for _ in range(1000):
        y = [3 * each**0.7 * source.lognormvariate(0, 0.2) for each in x]
        law = fit_power_law(x, y)
        hits += law.low <= 0.7 <= law.high
        _, low, high = law.at(1000)
        inside += low <= 3 * 1000**0.7 * source.lognormvariate(0, 0.2) <= high
    # Four standard deviations of 1000 trials at 95 %.
    assert abs(hits / 1000 - 0.95) < 0.028
    assert abs(inside / 1000 - 0.95) < 0.028
    for bad in ([1, 2], [1, 1, 1], [1, 2, 0]):
        with pytest.raises(ValueError, match="power law"):
            fit_power_law(bad, [1.0] * len(bad))
