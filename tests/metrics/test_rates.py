"""Accuracies with intervals over images, and over people where they are known."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from semveil.metrics import balanced_accuracy, rates, wilson


def test_both_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    labels = random.choice(4, 500, p=[0.7, 0.2, 0.09, 0.01])
    guesses = np.where(random.random(500) < 0.6, labels, random.integers(0, 4, 500))
    plain, balanced = rates(torch.tensor(guesses == labels), torch.tensor(labels))
    assert plain.value == pytest.approx(accuracy_score(labels, guesses))
    assert balanced.value == pytest.approx(balanced_accuracy_score(labels, guesses))
    assert plain == wilson(int((guesses == labels).sum()), 500)


def test_people_who_are_each_all_right_or_all_wrong_are_the_sample():
    """Twenty people of thirty images: the interval is about that of twenty answers, not 600."""
    person = torch.arange(600) // 30
    right = person < 16
    labels = torch.zeros(600, dtype=torch.int64)
    plain, _ = rates(right, labels, person)
    assert plain.value == pytest.approx(0.8)
    # Binomial of 20: standard deviation 0.0894.
    assert plain.high - plain.low == pytest.approx(2 * 1.96 * 0.0894, rel=0.15)
    images, _ = rates(right, labels)
    assert images.high - images.low < 0.07


def test_one_image_each_is_no_wider_than_images_by_much():
    labels = torch.arange(400) % 2
    right = torch.arange(400) % 10 < 7
    by_person, _ = rates(right, labels, torch.arange(400))
    by_image, _ = rates(right, labels)
    assert by_person.low <= by_image.low
    assert by_person.high - by_person.low == pytest.approx(by_image.high - by_image.low, rel=0.1)


def test_people_among_whom_a_class_is_missing_are_no_sample_of_balanced_accuracy():
    """One person of ten has class 1; who never names it has 50 %, whoever is drawn."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    person = torch.arange(100) // 10
    _, lazy = rates(labels == 0, labels, person)
    assert (lazy.value, lazy) == (0.5, balanced_accuracy([90, 0], [90, 10]))
    _, nobody = rates(labels == 0, labels, torch.zeros(100))
    assert nobody == lazy


def test_the_same_seed_gives_the_same_interval():
    labels, person = torch.arange(200) % 3, torch.arange(200) // 8
    right = person % 3 > 0
    assert rates(right, labels, person, 1) == rates(right, labels, person, 1)
    assert rates(right, labels, person, 1) != rates(right, labels, person, 2)


def test_no_images_are_refused():
    nothing = torch.zeros(0, dtype=torch.int64)
    with pytest.raises(ValueError, match="no class has an image"):
        rates(nothing.bool(), nothing)
