"""Digits in four colours: what is painted how, and that the colour says nothing of the digit."""

from __future__ import annotations

import os

import numpy as np
import pytest

from semveil.data import load
from semveil.data.colored import COLORS, ColoredDigits, ColoredMnist
from semveil.data.digits import Digits
from semveil.errors import SemveilError


def test_the_colour_of_every_image_is_its_label():
    grey, colored = Digits().read().train, ColoredDigits().read(private="color").train
    assert (colored.x.max(1) == grey.x[:, 0]).all()
    assert (colored.y == grey.y).all()
    lit = (colored.x > 0).any((2, 3))
    expected = np.array([[part > 0 for part in color] for color in COLORS.values()])
    assert (lit == expected[colored.private]).all()


def test_colours_are_equally_frequent_in_every_digit():
    images = ColoredDigits().read(private="color").train
    counts = np.array([np.bincount(images.private[images.y == digit]) for digit in range(10)])
    assert counts.shape == (10, 4)
    assert (np.ptp(counts, axis=1) <= 1).all()


def test_colours_are_the_same_whatever_the_seed_and_the_task():
    one, other = (load("colored-digits", seed=seed, private="color") for seed in (0, 1))
    known = {image.tobytes() for part in (one.system, one.test) for image in part.x}
    shared = [image.tobytes() in known for image in other.system.x]
    assert np.mean(shared) > 0.6
    swapped = ColoredDigits().read(target="color", private="digit")
    straight = ColoredDigits().read(target="digit", private="color")
    assert (swapped.train.y == straight.train.private).all()
    assert (swapped.train.private == straight.train.y).all()
    assert swapped.private_name == "digit"


def test_without_a_private_attribute_eve_is_after_the_task():
    parts = load("colored-digits")
    assert parts.private_classes is None
    assert parts.system.private is None
    assert parts.image_shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"target": "colors"}, "unknown attribute of colored-digits 'colors': did you mean"),
        ({"private": "digit"}, "digit is already data.target"),
        ({"image_size": 32}, "colored-digits has none"),
    ],
)
def test_what_it_does_not_have_is_refused(asked, said):
    with pytest.raises(SemveilError, match=said):
        load("colored-digits", **asked)


@pytest.mark.dataset
@pytest.mark.skipif("SEMVEIL_DATA" not in os.environ, reason="SEMVEIL_DATA is not set")
def test_mnist_in_colours():
    source = ColoredMnist().read(private="color")
    assert source.train.x.shape == (60000, 3, 28, 28)
    assert source.test.x.shape == (10000, 3, 28, 28)
    assert np.bincount(source.test.private).tolist() == pytest.approx([2500] * 4, abs=8)
