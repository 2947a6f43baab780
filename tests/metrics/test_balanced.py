"""Balanced accuracy against scikit-learn, and how often its interval holds the truth."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import balanced_accuracy_score

from semveil.metrics import balanced_accuracy, wilson


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_it_is_scikit_learns(classes):
    random = np.random.default_rng(classes)
    truth = random.choice(classes, 500, p=random.dirichlet(np.ones(classes)))
    guess = np.where(random.random(500) < 0.6, truth, random.integers(0, classes, 500))
    hits = np.bincount(truth[guess == truth], minlength=classes)
    counts = np.bincount(truth, minlength=classes)
    estimate = balanced_accuracy(hits.tolist(), counts.tolist())
    assert estimate.value == pytest.approx(balanced_accuracy_score(truth, guess), abs=1e-12)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.n == 500


def test_one_answer_for_all_is_worth_chance():
    assert balanced_accuracy([0, 636], [23, 636]).value == 0.5
    assert balanced_accuracy([0, 0, 9, 0], [1, 2, 9, 4]).value == 0.25


def test_one_class_has_wilsons_interval():
    assert balanced_accuracy([7], [9]).low == pytest.approx(wilson(7, 9).low, abs=1e-12)
    assert balanced_accuracy([7, 0], [9, 0]).high == pytest.approx(wilson(7, 9).high, abs=1e-12)


@pytest.mark.parametrize(
    ("hits", "counts"), [([0, 0], [5, 7]), ([5, 7], [5, 7]), ([0, 700], [1, 700])]
)
def test_the_interval_stays_within_nought_and_one(hits, counts):
    estimate = balanced_accuracy(hits, counts)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.high - estimate.low > 0.1


@pytest.mark.parametrize(
    ("rates", "counts"),
    [((0.6, 0.95), (23, 636)), ((0.5, 0.5), (20, 80)), ((0.98, 0.9), (40, 40))],
)
def test_the_interval_holds_the_truth_as_often_as_it_says(rates, counts):
    """The exact probability, over all outcomes of two classes: 95 % to within two points."""
    truth = sum(rates) / 2
    covered = 0.0
    likely = [
        [(hit, binom.pmf(hit, n, rate)) for hit in range(n + 1)]
        for n, rate in zip(counts, rates, strict=True)
    ]
    for first, p in likely[0]:
        for second, q in likely[1]:
            if p * q > 1e-9:
                estimate = balanced_accuracy([first, second], counts)
                covered += p * q * (estimate.low <= truth <= estimate.high)
    assert 0.93 <= covered <= 0.975


def test_the_interval_of_ten_classes_holds_the_truth():
    random = np.random.default_rng(0)
    rates, counts = np.linspace(0.5, 0.95, 10), np.arange(10, 110, 10)
    inside = 0
    for hits in random.binomial(counts, rates, (1000, 10)):
        estimate = balanced_accuracy(hits.tolist(), counts.tolist())
        inside += estimate.low <= rates.mean() <= estimate.high
    # 950 expected of an exact interval; four standard errors are 28.
    assert 922 <= inside <= 980


@pytest.mark.parametrize(
    ("hits", "counts"), [([], []), ([0], [0]), ([2], [1]), ([1, 2], [3]), ([1, 1], [0, 2])]
)
def test_what_is_no_rate_is_refused(hits, counts):
    with pytest.raises(ValueError, match=r"rate|no class|argument 2"):
        balanced_accuracy(hits, counts)
