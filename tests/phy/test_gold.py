"""The pseudo-random sequence of 5G against Sionna's."""

import numpy as np
import pytest

from semveil.phy.gold import gold_sequence


@pytest.mark.parametrize("seed", [0, 1, 0x1234567, (1 << 31) - 1])
@pytest.mark.parametrize("length", [1, 31, 500, 20_000])
def test_the_sequence_is_sionnas(seed, length):
    prng = pytest.importorskip("sionna.phy.nr.utils").generate_prng_seq
    np.testing.assert_array_equal(
        gold_sequence(length, seed).numpy(), np.asarray(prng(length, seed))
    )


def test_a_seed_of_too_many_bits_is_refused():
    with pytest.raises(ValueError, match="31 bits"):
        gold_sequence(8, 1 << 31)
