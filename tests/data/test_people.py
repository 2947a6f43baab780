"""Images of people: nobody is shown in two parts, and rare attributes are in all of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.data import Images, ImageSplits, hold_out, split
from semveil.data.stratified_split import joined, random_of, split_people
from semveil.errors import SemveilError

CLASSES = ("without", "with")


def faces(people: int, each: int, seed: int = 0, first: int = 0, rare: float = 0.5) -> Images:
    random = np.random.default_rng(seed)
    person = np.repeat(np.arange(first, first + people), each)
    has = random.random(people) < rare
    x = random.integers(0, 256, (len(person), 1, 4, 4), dtype=np.uint8)
    y = (random.random(len(person)) < np.where(has, 0.8, 0.02)[person - first]).astype(np.int64)
    return Images(x, y, private=1 - y, person=random.permutation(people)[person - first] + first)


def parts_of(parts: ImageSplits) -> list[Images]:
    return [parts.system, parts.adversary, parts.validation, parts.test]


def people_of(part: Images) -> set[int]:
    assert part.person is not None
    return set(part.person.tolist())


def assert_disjoint(parts: list[Images]) -> None:
    people = [people_of(part) for part in parts]
    assert sum(map(len, people)) == len(set().union(*people))


def test_people_are_dealt_out_in_the_shares_with_all_their_images() -> None:
    train, test = faces(200, 10), faces(20, 10, seed=1, first=200)
    parts = split("faces", train, test, CLASSES, seed=0)
    assert [len(part) for part in parts_of(parts)] == [1300, 500, 200, 200]
    assert_disjoint(parts_of(parts))
    assert all(
        np.bincount(part.person)[list(people_of(part))].min() == 10 for part in parts_of(parts)
    )


def test_an_attribute_that_few_people_have_is_in_every_part() -> None:
    train, test = faces(400, 10, rare=0.08), faces(20, 10, seed=1, first=400)
    for seed in range(20):
        parts = split("faces", train, test, CLASSES, seed)
        shares = np.array([part.y.mean() for part in parts_of(parts)[:3]])
        assert np.abs(shares - train.y.mean()).max() < 0.03


def test_a_limit_takes_few_images_of_many_people() -> None:
    train, test = faces(200, 30), faces(20, 5, seed=1, first=200)
    parts = split("faces", train, test, CLASSES, seed=0, limit=1000)
    assert [len(part) for part in parts_of(parts)] == [650, 250, 100, 100]
    assert_disjoint(parts_of(parts))
    assert [len(people_of(part)) for part in parts_of(parts)[:2]] == [130, 50]
    for part, seen in zip(parts_of(parts)[:3], (130, 50, 20), strict=True):
        assert len(people_of(part)) >= 0.9 * seen


def test_people_of_the_test_set_are_taken_out_of_training() -> None:
    train, test = faces(60, 5), faces(10, 5, seed=1, first=55)
    parts = split("faces", train, test, CLASSES, seed=0)
    assert_disjoint(parts_of(parts))
    assert sum(map(len, parts_of(parts)[:3])) == 55 * 5


def test_people_who_share_a_picture_stay_together() -> None:
    train, test = faces(60, 5), faces(10, 5, seed=1, first=60)
    assert train.person is not None
    x = train.x.copy()
    pair = [int(np.flatnonzero(train.person == someone)[0]) for someone in (3, 44)]
    x[pair[1]] = x[pair[0]]
    for seed in range(10):
        parts = split("faces", Images(x, train.y, person=train.person), test, CLASSES, seed)
        assert sum(bool({3, 44} & people_of(part)) for part in parts_of(parts)) == 1


def test_held_out_people() -> None:
    train, test = hold_out(faces(100, 7), seed=0)
    assert (len(train), len(test)) == (560, 140)
    assert_disjoint([train, test])


def test_labels_stay_with_their_images() -> None:
    parts = split("faces", faces(60, 5), faces(10, 5, seed=1, first=60), CLASSES, seed=0)
    assert all(np.array_equal(part.private, 1 - part.y) for part in parts_of(parts))


@settings(max_examples=60, deadline=None)
@given(
    person=st.lists(st.integers(0, 12), min_size=3, max_size=90),
    seed=st.integers(0, 2**40),
    limit=st.none() | st.integers(1, 100),
)
def test_nobody_is_ever_in_two_parts(person: list[int], seed: int, limit: int | None) -> None:
    random = np.random.default_rng(seed)
    n = len(person)
    x = random.integers(0, 40, (n + 4, 1, 1, 1), dtype=np.uint8)
    y = random.integers(0, 2, n + 4)
    train = Images(x[:n], y[:n], person=np.array(person))
    test = Images(x[n:], y[n:], person=np.array([0, 0, 50, 51]))
    try:
        parts = split("faces", train, test, CLASSES, seed, limit=limit)
    except SemveilError:
        return
    assert_disjoint(parts_of(parts))
    assert limit is None or sum(map(len, parts_of(parts)[:3])) <= limit


def test_dealing_depends_on_the_seed_alone() -> None:
    images = faces(40, 5)
    dealt = [
        split_people(images.y, images.person, (100, 60, 40), random_of(seed, "test"))
        for seed in (0, 0, 1)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(dealt[0], dealt[1], strict=True))
    assert not np.array_equal(dealt[0][0], dealt[2][0])


def test_joined_groupings_against_a_search() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        first, second = random.integers(0, 30, (2, 40))
        found = joined(first, second)
        reached = {0}
        while True:
            near = np.isin(first, first[list(reached)]) | np.isin(second, second[list(reached)])
            if set(np.flatnonzero(near)) == reached:
                break
            reached = set(np.flatnonzero(near).tolist())
        assert set(np.flatnonzero(found == found[0])) == reached


@pytest.mark.parametrize("name", ["private", "person"])
@pytest.mark.parametrize("wrong", [np.zeros(3, np.int64), np.zeros(2, np.int32)])
def test_wrong_arrays_are_refused(name: str, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=f"{name} must be int64"):
        Images(np.zeros((2, 1, 4, 4), np.uint8), np.zeros(2, np.int64), **{name: wrong})
