"""The hierarchical bootstrap against closed forms: what seeds and images add to an interval."""

from __future__ import annotations

import random
from statistics import stdev

import pytest
from scipy.stats import norm

from semveil.metrics.intervals import hierarchical, wilson
from semveil.records import Estimate

Z = norm.ppf(0.975)


def normal(value, error):
    return Estimate(value, value - Z * error, value + Z * error, 500)


def test_one_seed_has_its_own_interval():
    assert hierarchical([wilson(8, 10)]) == wilson(8, 10)
    with pytest.raises(ValueError, match="no seed"):
        hierarchical([])


@pytest.mark.parametrize("of_seeds", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("of_images", [0.0, 0.02])
def test_the_variance_is_that_between_seeds_and_that_of_the_images(of_seeds, of_images):
    source = random.Random(0)
    values = [0.7 + of_seeds * source.gauss(0, 1) for _ in range(30)]
    found = hierarchical([normal(value, of_images) for value in values])
    variance = (stdev(values) ** 2) / 30 + of_images**2
    assert found.value == pytest.approx(sum(values) / 30)
    assert found.high - found.low == pytest.approx(2 * Z * variance**0.5, rel=0.04, abs=1e-12)


@pytest.mark.parametrize("hits", [0, 3, 250, 500])
def test_seeds_that_agree_do_not_make_more_images(hits):
    # All seeds are tested on the same 500 images: a rate keeps the interval of its binomial.
    one, found = wilson(hits, 500), hierarchical([wilson(hits, 500)] * 5)
    assert (found.low, found.high) == pytest.approx((one.low, one.high), abs=1e-4)


def test_two_seeds_that_differ_have_an_interval_beyond_both():
    # As two trainings of one codebook link did, fourteen points apart.
    found = hierarchical([wilson(540, 1000), wilson(680, 1000)])
    assert found.low < 0.54
    assert found.high > 0.68


def test_the_interval_covers_the_mean_over_seeds_and_images():
    # 2,000 studies of five seeds on the same images, which matter as much as the seeds.
    source = random.Random(1)
    covered = 0
    for _ in range(2000):
        shared = source.gauss(0, 0.02)
        found = hierarchical([normal(shared + source.gauss(0, 0.02), 0.02) for _ in range(5)])
        covered += found.low <= 0 <= found.high
    assert 0.93 < covered / 2000 < 0.99


@pytest.mark.parametrize(("seeds", "stated"), [(2, 0.61), (3, 0.81), (5, 0.88), (10, 0.93)])
def test_where_only_seeds_differ_it_covers_what_is_stated(seeds, stated):
    source = random.Random(seeds)
    covered = 0
    for _ in range(1500):
        found = hierarchical([normal(source.gauss(0, 1), 0.0) for _ in range(seeds)])
        covered += found.low <= 0 <= found.high
    # Three standard errors of the share, and half a unit of the last digit stated.
    assert covered / 1500 == pytest.approx(stated, abs=3 * (0.25 / 1500) ** 0.5 + 0.005)
