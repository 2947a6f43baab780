"""Disjoint, stratified, seeded splits, and copies of an image that stay together."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.data import Images, ImageSplits, hold_out, split
from semveil.errors import SemveilError

CLASSES = ("a", "b", "c")


def images(n: int, levels: int = 256, size: int = 4, seed: int = 0, classes: int = 3) -> Images:
    random = np.random.default_rng(seed)
    x = random.integers(0, levels, (n, 1, size, size), dtype=np.uint8)
    return Images(x, random.integers(0, classes, n))


def parts_of(parts: ImageSplits) -> list[Images]:
    return [parts.system, parts.adversary, parts.validation, parts.test]


def contents(part: Images) -> set[bytes]:
    return {image.tobytes() for image in part.x}


def assert_disjoint(parts: list[Images]) -> None:
    seen: set[bytes] = set()
    for part in parts:
        assert not seen & contents(part)
        seen |= contents(part)


def fingerprint(parts: ImageSplits) -> str:
    return hashlib.sha256(
        b"".join(p.x.tobytes() + p.y.tobytes() for p in parts_of(parts))
    ).hexdigest()


def test_parts_cover_the_training_set_once_in_the_stated_shares() -> None:
    train, test = images(1000), images(200, seed=1)
    parts = split("noise", train, test, CLASSES, seed=0)
    assert [len(p) for p in parts_of(parts)] == [650, 250, 100, 200]
    assert_disjoint(parts_of(parts))
    assert contents(train) == set().union(*map(contents, parts_of(parts)[:3]))
    assert parts.test is test
    assert parts.image_shape == (1, 4, 4)
    assert parts.n_classes == 3


def test_labels_stay_with_their_images() -> None:
    train = images(500)
    label = {image.tobytes(): y for image, y in zip(train.x, train.y, strict=True)}
    parts = split("noise", train, images(50, seed=1), CLASSES, seed=0)
    for part in parts_of(parts)[:3]:
        assert all(label[image.tobytes()] == y for image, y in zip(part.x, part.y, strict=True))


@pytest.mark.parametrize("limit", [None, 300])
def test_every_part_has_the_class_frequencies_of_the_whole(limit: int | None) -> None:
    train = images(1000)
    parts = split("noise", train, images(50, seed=1), CLASSES, seed=0, limit=limit)
    frequency = np.bincount(train.y) / len(train)
    for part in parts_of(parts)[:3]:
        assert np.all(np.abs(np.bincount(part.y) - frequency * len(part)) <= 2)


def test_classes_are_mixed_within_a_part() -> None:
    ordered = Images(images(900).x, np.repeat(np.arange(3), 300))
    parts = split("noise", ordered, images(50, seed=1), CLASSES, seed=0)
    assert np.bincount(parts.system.y[:60]).min() > 5


def test_the_seed_alone_decides() -> None:
    train, test = images(400), images(50, seed=1)
    first = fingerprint(split("noise", train, test, CLASSES, seed=3))
    np.random.seed(5)
    np.random.default_rng().random(100)
    assert fingerprint(split("other", train, test, CLASSES, seed=3)) == first
    assert fingerprint(split("noise", train, test, CLASSES, seed=4)) != first


def test_limit_is_the_total_of_all_training_parts() -> None:
    train, test = images(1000), images(100, seed=1)
    parts = split("noise", train, test, CLASSES, seed=0, limit=200)
    assert [len(p) for p in parts_of(parts)] == [130, 50, 20, 100]
    every = split("noise", train, test, CLASSES, seed=0, limit=5000)
    assert sum(map(len, parts_of(every)[:3])) == 1000


def test_shares_can_be_set() -> None:
    parts = split(
        "noise",
        images(1000),
        images(10, seed=1),
        CLASSES,
        seed=0,
        adversary_share=0.5,
        validation_share=0.2,
    )
    assert [len(p) for p in parts_of(parts)] == [300, 500, 200, 10]
    with pytest.raises(ValueError, match="shares"):
        split("noise", images(9), images(9), CLASSES, seed=0, adversary_share=0.9)


@pytest.mark.parametrize("limit", [-1, 0, 1, 3])
def test_too_few_images_are_refused(limit: int) -> None:
    with pytest.raises(SemveilError, match=r"noise: .* too few"):
        split("noise", images(100), images(10, seed=1), CLASSES, seed=0, limit=limit)


def test_images_of_the_test_set_are_taken_out_of_training() -> None:
    train, test = images(300), images(30, seed=1)
    leaky = Images(np.concatenate([train.x, test.x]), np.concatenate([train.y, test.y]))
    parts = split("noise", leaky, test, CLASSES, seed=0)
    assert sum(map(len, parts_of(parts))) == 330
    assert_disjoint(parts_of(parts))


def test_copies_stay_together_and_all_are_used() -> None:
    train = images(300)
    copied = train.take(np.tile(np.arange(300), 3))
    parts = split("noise", copied, images(30, seed=1), CLASSES, seed=0)
    assert sum(map(len, parts_of(parts)[:3])) == 900
    assert_disjoint(parts_of(parts))


def test_copies_with_different_labels_stay_together() -> None:
    train = images(300)
    twice = Images(np.concatenate([train.x, train.x]), np.concatenate([train.y, (train.y + 1) % 3]))
    parts = split("noise", twice, images(30, seed=1), CLASSES, seed=0)
    assert sum(map(len, parts_of(parts)[:3])) == 600
    assert_disjoint(parts_of(parts))
    assert_disjoint(list(hold_out(twice, seed=0)))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 120),
    levels=st.integers(1, 12),
    seed=st.integers(0, 2**40),
    limit=st.none() | st.integers(1, 150),
)
def test_no_image_is_ever_in_two_parts(n: int, levels: int, seed: int, limit: int | None) -> None:
    train, test = images(n, levels, size=1, seed=seed), images(9, levels, size=1, seed=seed + 1)
    try:
        parts = split("noise", train, test, CLASSES, seed, limit=limit)
    except SemveilError:
        return
    assert_disjoint(parts_of(parts))
    used = sum(map(len, parts_of(parts)[:3]))
    assert used <= n
    assert limit is None or used <= limit
    usable = sum(image.tobytes() not in contents(test) for image in train.x)
    assert limit is not None or used == usable


def test_held_out_set_is_stratified_and_seeded() -> None:
    whole = Images(images(500).x, np.repeat(np.arange(5), 100))
    train, test = hold_out(whole, seed=0, share=0.3)
    assert np.bincount(test.y).tolist() == [30] * 5
    assert len(train) == 350
    assert_disjoint([train, test])
    assert np.array_equal(test.x, hold_out(whole, seed=0, share=0.3)[1].x)
    assert not np.array_equal(test.x, hold_out(whole, seed=1, share=0.3)[1].x)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((2, 1, 4, 4), np.float32), np.zeros(2, np.int64)),
        (np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64)),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(3, np.int64)),
        (np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int32)),
    ],
)
def test_wrong_arrays_are_refused(x: np.ndarray, y: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be"):
        Images(x, y)
