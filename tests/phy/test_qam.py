"""Constellations, labels, hard and soft decisions."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.phy import BPSK, QPSK, Constellation
from semveil.rng import generator, normal

ALL = [("qam", 2**m) for m in range(1, 11)] + [("psk", 2**m) for m in range(1, 7)]


def _bits(constellation, n, seed=0):
    shape = (2, n * constellation.bits_per_symbol)
    return torch.randint(0, 2, shape, generator=generator(seed, "bits"), dtype=torch.uint8)


@pytest.mark.parametrize(("kind", "order"), ALL)
def test_constellations_are_centred_and_of_unit_power(kind, order):
    points = Constellation(kind, order).points(dtype=torch.complex128)
    assert points.shape == (order,)
    assert points.mean().abs() < 1e-12
    assert points.abs().square().mean().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(("kind", "order"), ALL)
def test_neighbours_differ_in_one_bit(kind, order):
    points = Constellation(kind, order).points(dtype=torch.complex128)
    distance = (points.unsqueeze(0) - points.unsqueeze(1)).abs()
    distance.fill_diagonal_(math.inf)
    pairs = (distance < 1.0001 * distance.min()).nonzero()
    assert len(pairs) >= order
    assert all(int(a ^ b).bit_count() == 1 for a, b in pairs)


@settings(deadline=None, max_examples=40)
@given(which=st.sampled_from(ALL), n=st.integers(1, 50), seed=st.integers(0, 99))
def test_bits_survive_without_noise(which, n, seed):
    constellation = Constellation(*which)
    bits = _bits(constellation, n, seed)
    z = constellation.modulate(bits)
    assert z.shape == (2, n)
    assert torch.equal(constellation.hard(z), bits)
    assert torch.equal((constellation.soft(z, 1e-3) > 0).to(torch.uint8), bits)


@pytest.mark.parametrize(("kind", "order"), ALL)
def test_hard_decisions_are_for_the_nearest_point(kind, order):
    constellation = Constellation(kind, order)
    y = 1.5 * normal((2, 500), dtype=torch.complex64, generator=generator(1))
    nearest = (y.unsqueeze(-1) - constellation.points()).abs().argmin(-1)
    shifts = torch.arange(constellation.bits_per_symbol - 1, -1, -1)
    expected = ((nearest.unsqueeze(-1) >> shifts) & 1).flatten(1)
    assert torch.equal(constellation.hard(y).long(), expected)
    soft = constellation.soft(y, 0.5, method="max-log")
    assert torch.equal((soft > 0).long(), expected)


@pytest.mark.parametrize(("kind", "order"), ALL[:8] + ALL[10:14])
@pytest.mark.parametrize("method", ["max-log", "log-map"])
def test_llrs_are_those_of_all_points(kind, order, method):
    constellation = Constellation(kind, order)
    m = constellation.bits_per_symbol
    y = normal((3, 40), dtype=torch.complex128, generator=generator(2))
    noise = torch.tensor([0.05, 0.4, 2.0], dtype=torch.float64)
    points = constellation.points(dtype=torch.complex128)
    logits = -(y.unsqueeze(-1) - points).abs().square() / noise.reshape(3, 1, 1)
    label = (torch.arange(order).unsqueeze(1) >> torch.arange(m - 1, -1, -1)) & 1
    reduce = torch.amax if method == "max-log" else torch.logsumexp
    expected = [
        reduce(logits[..., label[:, i] == 1], -1) - reduce(logits[..., label[:, i] == 0], -1)
        for i in range(m)
    ]
    got = constellation.soft(y, noise, method=method)
    torch.testing.assert_close(got, torch.stack(expected, -1).flatten(1))
    # the same noise, given per symbol
    torch.testing.assert_close(constellation.soft(y, noise[:, None], method=method), got)
    whole = noise[:, None].expand(-1, 40)
    torch.testing.assert_close(constellation.soft(y, whole, method=method), got)


def test_exact_llrs_of_bpsk_and_their_calibration():
    y = torch.tensor([[0.3 + 5j, -2.0]])
    torch.testing.assert_close(BPSK.soft(y, 0.5), torch.tensor([[-2.4, 16.0]]))
    # An LLR is a log-probability: among bits with LLR near l, a share sigmoid(l) are ones.
    constellation = Constellation("qam", 16)
    bits = torch.randint(0, 2, (1, 800_000), generator=generator(3))
    z = constellation.modulate(bits)
    y = z + 0.6 * normal((1, 200_000), dtype=torch.complex64, generator=generator(4))
    llrs = constellation.soft(y, 0.36)
    for low in (-2.0, -0.5, 1.0):
        chosen = (llrs > low) & (llrs < low + 0.5)
        share = bits[chosen].float().mean()
        assert abs(share - torch.sigmoid(llrs[chosen]).mean()) < 0.01


def test_named_constellations():
    torch.testing.assert_close(BPSK.points(), torch.tensor([1 + 0j, -1 + 0j]))
    torch.testing.assert_close(
        QPSK.modulate(torch.tensor([1, 0])), torch.tensor([-1 + 1j]) / 2**0.5
    )


@pytest.mark.parametrize("order", [0, 1, 3, 12, 100])
@pytest.mark.parametrize("kind", ["qam", "psk"])
def test_an_order_that_is_not_a_power_of_two_is_refused(kind, order):
    with pytest.raises(ValueError, match=f"modulation order {order} is not a power of two"):
        Constellation(kind, order)


def test_wrong_requests_are_refused():
    with pytest.raises(ValueError, match="unknown modulation 'fsk'"):
        Constellation("fsk", 4)
    with pytest.raises(ValueError, match="7 bits are not a multiple of 4"):
        Constellation("qam", 16).modulate(torch.zeros(2, 7))
    with pytest.raises(ValueError, match="unknown demapping 'hard'"):
        QPSK.soft(torch.zeros(1, 2) + 0j, 1.0, method="hard")
    with pytest.raises(ValueError, match="noise_variance"):
        QPSK.soft(torch.zeros(2, 2) + 0j, torch.ones(3))
