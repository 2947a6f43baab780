"""The attack's lower bound: below true budgets, near them, and above those of broken mechanisms."""

import math

import pytest
import torch

from semveil.data.digits import Digits
from semveil.link import as_float
from semveil.nets.convolutional import ConvEncoder
from semveil.protect.dp_audit import empirical_epsilon
from semveil.protect.laplace import DpConfig, Laplace, clip_l1, laplace_noise
from semveil.rng import generator, seeded

EPSILON = 0.9
DRAWS = 200_000


def _genuine(dim, epsilon=EPSILON):
    return Laplace(DpConfig(reading="genuine", epsilon=epsilon, clip=4.0), dim).eval()


def _corner(dim):
    """Return a vector whose clipped form and its negative are a whole sensitivity apart."""
    return 100 * torch.eye(dim)[0]


@pytest.mark.parametrize("dim", [2, 16])
def test_genuine_budget_holds_and_is_nearly_reached_by_the_worst_pair(dim):
    x = _corner(dim)
    found = empirical_epsilon(_genuine(dim), x, -x, DRAWS, generator(0, "attack", dim))
    assert 0.92 * EPSILON < found <= EPSILON


@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_genuine_budget_holds_when_the_difference_is_spread(scale):
    x = torch.full((16,), scale)
    assert empirical_epsilon(_genuine(16), x, -x, 100_000, generator(1)) <= EPSILON


def test_genuine_budget_holds_for_the_waveform_of_two_images():
    source = Digits().read()
    images = as_float(torch.from_numpy(source.train.x[[0, 1]]))
    with seeded(0, "weights"), torch.no_grad():
        features = 100 * ConvEncoder((1, 8, 8), 8, 8)(images)
    layer = _genuine(8, epsilon=6.0)

    def transmit(batch, source):
        return layer.to_waveform(layer(batch, source))

    found = empirical_epsilon(transmit, *features, 100_000, generator(2))
    distance = (layer.bound(features[:1]) - layer.bound(features[1:])).abs().sum()
    # Of these two images the budget is what their own distance spends.
    assert 0 < found <= 6.0 * distance / layer.sensitivity


def _half_sensitivity(batch, source):
    """Scale the noise by the radius C where it should be the diameter 2C."""
    return clip_l1(batch.double(), 4.0) + laplace_noise(batch.shape, 4.0 / EPSILON, batch, source)


def _per_coordinate(batch, source):
    """Clip every coordinate on its own and spend ε on each."""
    return batch.double().clamp(-1, 1) + laplace_noise(batch.shape, 2 / EPSILON, batch, source)


def _unclipped(batch, source):
    return batch.double() + laplace_noise(batch.shape, 8.0 / EPSILON, batch, source)


def _one_noise_for_all(batch, source):
    """Use one draw for all coordinates, which their difference cancels."""
    noise = laplace_noise((len(batch), 1), 8.0 / EPSILON, batch, source)
    noisy = clip_l1(batch.double(), 4.0) + noise
    return noisy - noisy.roll(1, 1)


def _scaled_by_the_input(batch, source):
    """Let the noise follow the features, as a data-dependent sensitivity does."""
    loudest = batch.double().abs().amax(1, keepdim=True)
    return loudest * laplace_noise(batch.shape, 1 / EPSILON, batch, source)


@pytest.mark.parametrize(
    ("broken", "x", "x_prime"),
    [
        (_half_sensitivity, _corner(16), -_corner(16)),
        (_per_coordinate, torch.ones(16), -torch.ones(16)),
        (_unclipped, _corner(16), -_corner(16)),
        (_one_noise_for_all, _corner(16), -_corner(16)),
        (_scaled_by_the_input, torch.ones(16), 5 * torch.ones(16)),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_broken_mechanisms_are_exposed(broken, x, x_prime):
    assert empirical_epsilon(broken, x, x_prime, 100_000, generator(3)) > 1.3 * EPSILON


def test_noise_a_third_too_small_is_exposed():
    layer = _genuine(2)
    layer.noise_scale /= 1.5
    x = _corner(2)
    found = empirical_epsilon(layer, x, -x, DRAWS, generator(4))
    assert 1.1 * EPSILON < found <= 1.5 * EPSILON


def test_paper_reading_breaks_the_budget_that_it_states():
    layer = Laplace(DpConfig(reading="paper", epsilon=EPSILON), 16).eval()
    x = torch.ones(16)

    def transmit(batch, source):
        return layer.to_waveform(layer(batch, source))

    assert layer.vector_epsilon == pytest.approx(2 * 16 * EPSILON / 0.1)
    # All that so many draws can show; the published budget is a tenth of it.
    assert empirical_epsilon(layer, x, -x, 100_000, generator(5)) > 9
    assert empirical_epsilon(transmit, x, -x, 100_000, generator(5)) > 9


def test_paper_readings_true_budget_holds():
    # Noise so strong that the true budget of the whole vector, 2dε/s, is 0.9 too.
    layer = Laplace(DpConfig(reading="paper", epsilon=EPSILON, scale=4.0), 2).eval()
    assert layer.vector_epsilon == pytest.approx(EPSILON)
    for x in (torch.ones(2), torch.tensor([1.0, 0.0])):
        assert 0.2 < empirical_epsilon(layer, x, -x, DRAWS, generator(6)) <= EPSILON


def test_the_bound_holds_as_often_as_it_says():
    # Randomised response: the budget is ln(p / (1 − p)) exactly, and an attack that finds the only
    # event there is fails at most one time in 20. Of 100 attacks, 13 failures or more would then
    # have a probability of 0.2 %.
    p = math.exp(EPSILON) / (1 + math.exp(EPSILON))

    def respond(batch, source):
        honest = torch.rand(batch.shape, generator=source) < p
        return torch.where(honest, batch, 1 - batch)

    zero = torch.zeros(1)
    found = [
        empirical_epsilon(respond, zero, zero + 1, 2000, generator(s, "attack")) for s in range(100)
    ]
    assert sum(bound > EPSILON for bound in found) < 13
    assert sorted(found)[50] > 0.7 * EPSILON


def test_equal_inputs_are_not_told_apart():
    x = _corner(4)
    assert empirical_epsilon(_genuine(4), x, x, 20_000, generator(7)) < 0.05


def test_more_confidence_is_a_lower_bound():
    x = _corner(2)
    sure, surer = (
        empirical_epsilon(_genuine(2), x, -x, 50_000, generator(8), confidence=c)
        for c in (0.9, 0.999)
    )
    assert surer < sure


@pytest.mark.parametrize(("draws", "confidence"), [(99, 0.95), (1000, 0.0), (1000, 1.0)])
def test_impossible_attacks_are_refused(draws, confidence):
    x = torch.zeros(2)
    with pytest.raises(ValueError, match="no distinguishing attack"):
        empirical_epsilon(_genuine(2), x, x, draws, generator(9), confidence)
