"""Other tasks, images and channels made of a data set."""

from __future__ import annotations

import numpy as np

from semveil import data
from semveil import recipe as recipes
from semveil.training.shift import GROUPINGS, SHIFTS, World, halves

SPLITS = data.load("digits", limit=600)
PARTS = ("system", "adversary", "validation", "test")


def test_the_coarse_task_is_parity_in_every_part() -> None:
    coarse = World(coarse=True).splits(SPLITS)
    assert coarse.n_classes == 2
    for part in PARTS:
        before, after = getattr(SPLITS, part), getattr(coarse, part)
        assert after.x is before.x
        assert np.array_equal(after.y, before.y % 2)


def test_the_vehicles_of_cifar10() -> None:
    kind = GROUPINGS["cifar10"]
    names = [
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ]
    vehicles = {name for name, group in zip(names, kind.group, strict=True) if group}
    assert kind.groups[1] == "vehicle"
    assert vehicles == {"airplane", "automobile", "ship", "truck"}


def test_turned_images_are_turned_anticlockwise_and_nothing_else() -> None:
    turned = World(turned=True).splits(SPLITS)
    assert turned.name == SPLITS.name
    for part in PARTS:
        before, after = getattr(SPLITS, part), getattr(turned, part)
        assert np.array_equal(after.y, before.y)
        # Anticlockwise, the right column becomes the top row.
        assert np.array_equal(after.x[:, :, 0, :], before.x[:, :, :, -1])
        assert np.array_equal(after.x, before.x.transpose(0, 1, 3, 2)[:, :, ::-1])


def test_the_halves_are_disjoint_and_take_nothing_from_the_others() -> None:
    before, after = halves(SPLITS)
    count = len(SPLITS.system)
    assert len(before.system) + len(after.system) == count
    both = np.empty_like(SPLITS.system.x)
    both[::2], both[1::2] = before.system.x, after.system.x
    assert np.array_equal(both, SPLITS.system.x)
    for part in PARTS[1:]:
        assert getattr(before, part) is getattr(after, part) is getattr(SPLITS, part)
    one, two = ({image.tobytes() for image in half.system.x} for half in (before, after))
    assert not one & two


def test_the_channel_changes_for_bob_and_eve_alone() -> None:
    recipe = recipes.load("deepjscc-digits")
    faded = SHIFTS["fading"].after.recipe(recipe)
    assert (
        (faded.bob.fading, faded.bob.snr_db)
        == ("rayleigh", 12.0)
        == (
            faded.eve.fading,
            faded.eve.snr_db,
        )
    )
    assert SHIFTS["fading"].before.recipe(recipe) == recipe
    assert SHIFTS["noise"].after.recipe(recipe).bob.snr_db == 2.0
    assert [name for name, shift in SHIFTS.items() if shift.new_answers] == ["coarser", "finer"]
