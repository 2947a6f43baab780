"""Which maps of a waveform need no key: the algebra behind a relay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from semveil.protect.invariant import (
    COMPLEX_FACTOR,
    QUATERNION_FACTORS,
    REAL_FACTOR,
    SYMBOL_FACTORS,
    VALUE_MAPS,
    InvariantMaps,
    common,
)
from semveil.protect.keyed_transform import ComposedTransform
from semveil.protect.keys import research_key
from semveil.protect.normalise import normalise_blocks
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator, normal

KEY = research_key(0, "relay")
MESSAGES = torch.arange(5, 25)
BLOCKS = 16
Z = normalise_blocks(
    normal((len(MESSAGES), 4 * BLOCKS), dtype=torch.float64, generator=generator(0))
)


def error(transform, maps: InvariantMaps, factors: Tensor) -> float:
    """Return by how much decrypting a changed waveform differs from changing the plain one."""
    changed = maps.apply(factors, transform.encrypt(Z, MESSAGES))
    return float((transform.decrypt(changed, MESSAGES) - maps.apply(factors, Z)).abs().max())


def drawn(maps: InvariantMaps) -> Tensor:
    shape = 1, maps.size(Z.shape[1])
    return normal(shape, dtype=torch.complex128, generator=generator(1))


def test_half_of_the_blocks_are_flipped_without_the_key() -> None:
    flips = torch.ones(1, 2 * BLOCKS, dtype=torch.complex128)
    flips[:, BLOCKS:] = -1
    assert error(Rotation(KEY), SYMBOL_FACTORS, flips) <= 1e-12
    assert error(Rotation(KEY, "haar"), SYMBOL_FACTORS, flips) > 1
    assert error(Shuffle(KEY), SYMBOL_FACTORS, flips) > 1


@pytest.mark.parametrize(
    ("transform", "maps"),
    [
        (Rotation(KEY), QUATERNION_FACTORS),
        (Rotation(KEY, "haar"), COMPLEX_FACTOR),
        (Rotation(KEY, "structured"), REAL_FACTOR),
        (Shuffle(KEY), VALUE_MAPS),
        (Shuffle(KEY, fresh=False), VALUE_MAPS),
    ],
)
def test_each_transform_states_the_largest_family_that_it_commutes_with(transform, maps) -> None:
    assert transform.invariant_maps is maps
    for family in (QUATERNION_FACTORS, COMPLEX_FACTOR, REAL_FACTOR, VALUE_MAPS):
        found = error(transform, family, drawn(family))
        if family in maps.all:
            assert found <= 1e-12
        else:
            assert found > 0.1


def test_a_left_quaternion_is_the_product_of_quaternions() -> None:
    # As 2×2 matrices, a + b·j is [[a, b], [−b̄, ā]], and products are those of matrices.
    def matrix(pairs: Tensor) -> Tensor:
        a, b = pairs.unflatten(1, (-1, 2)).unbind(2)
        rows = torch.stack([a, b], -1), torch.stack([-b.conj(), a.conj()], -1)
        return torch.stack(rows, -2)

    factors = drawn(QUATERNION_FACTORS)
    product = matrix(factors) @ matrix(Z)
    found = matrix(QUATERNION_FACTORS.apply(factors, Z))
    torch.testing.assert_close(found, product, atol=1e-12, rtol=0)


def test_a_map_of_values_takes_the_values_of_its_knots() -> None:
    # Knots are 0.2 apart from −3.1 to 3.1; f(x) = x² at the knots.
    squares = (torch.linspace(-3.1, 3.1, 32, dtype=torch.float64) ** 2).unflatten(0, (-1, 2))
    knots = torch.view_as_complex(squares.contiguous()).unsqueeze(0)
    waveform = torch.tensor([[0.1 - 0.5j, 0.2 + 9j]], dtype=torch.complex128)
    found = VALUE_MAPS.apply(knots, waveform)
    expected = torch.tensor([[0.01 + 0.25j, 0.05 + 9.61j]], dtype=torch.complex128)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_composed_transforms_commute_with_what_all_of_them_commute_with() -> None:
    both = ComposedTransform([Rotation(KEY), Rotation(KEY, "haar")])
    assert both.invariant_maps is COMPLEX_FACTOR
    mixed = ComposedTransform([Rotation(KEY), Shuffle(KEY)])
    assert mixed.invariant_maps is REAL_FACTOR
    assert error(mixed, REAL_FACTOR, drawn(REAL_FACTOR)) <= 1e-12
    assert error(mixed, COMPLEX_FACTOR, drawn(COMPLEX_FACTOR)) > 0.1
    assert common([VALUE_MAPS, VALUE_MAPS]) is VALUE_MAPS
