"""Networks of the task-oriented links: sizes for every image, and gates in order."""

from __future__ import annotations

import math

import pytest
import torch

from semveil.nets.task import GatedEncoder, TaskEncoder, TokenClassifier, TokenEncoder, Trunk
from semveil.rng import generator, normal, seeded, uniform


def images(*shape):
    return uniform(shape, generator=generator(0, "images"))


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64), (3, 30, 48)])
def test_maps_and_features_have_the_stated_sizes(shape):
    given = images(2, *shape)
    trunk = Trunk(shape, 4, padded=True)
    maps = trunk(given)
    halvings = max(1, round(math.log2(min(shape[1:]) / 4)))
    sides = [side >> halvings for side in shape[1:]]
    assert list(maps.shape) == [2, trunk.channels, *sides]
    encoder = TaskEncoder(shape, 10, 4)
    assert encoder(given).shape == encoder(images(2, shape[0], 24, 40)).shape == (2, 10)
    for grid in [(4, 4), (8, 8), (1, 5), (2, 3)]:
        encoder = TokenEncoder(shape, grid, 6, 4)
        assert encoder(given).shape == (2, grid[0] * grid[1], 6)


def test_an_images_features_depend_on_that_image_alone_once_trained():
    encoder = TaskEncoder((1, 8, 8), 6, 4)
    given = images(6, 1, 8, 8)
    encoder(given)
    encoder.eval()
    assert torch.allclose(encoder(given)[2:3], encoder(given[2:3]), atol=1e-6)


def test_tokens_have_zero_mean_and_unit_variance():
    found = TokenEncoder((1, 28, 28), (4, 4), 32, 4)(images(3, 1, 28, 28))
    assert torch.allclose(found.mean(2), torch.zeros(3, 16), atol=1e-5)
    assert torch.allclose(found.var(2, unbiased=False), torch.ones(3, 16), atol=1e-2)


def test_tokens_keep_the_places_of_the_grid():
    classifier = TokenClassifier((2, 3), 4, 8, 5).eval()
    given = normal((2, 6, 4), generator=generator(1))
    seen = {}
    classifier.layers[0].register_forward_pre_hook(lambda module, args: seen.update(maps=args[0]))
    assert classifier(given).shape == (2, 5)
    for token in range(6):
        row, column = divmod(token, 3)
        assert torch.equal(seen["maps"][:, :, row, column], given[:, token])


def gated(variable, dim=12):
    with seeded(0, "gated"):
        return GatedEncoder((1, 8, 8), dim, 4, variable)


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("sign", [1, -1])
def test_gates_are_not_negative_and_fall_in_order_whatever_the_weights(variable, sign):
    encoder = gated(variable)
    with torch.no_grad():
        for number, weight in enumerate(encoder.gates.parameters()):
            drawn = normal(weight.shape, generator=generator(2, number))
            weight.copy_(sign * drawn)
    gates = encoder.gate(torch.linspace(0.05, 0.7, 9).unsqueeze(1))
    assert torch.all(gates >= 0)
    assert torch.all(gates.diff(dim=1) <= 1e-6)


def test_gates_of_variable_length_grow_with_the_noise():
    encoder = gated(True)
    with torch.no_grad():
        for number, weight in enumerate(encoder.gates.parameters()):
            weight.copy_(normal(weight.shape, generator=generator(3, number)))
    gates = encoder.gate(torch.linspace(0.0, 1.0, 20).unsqueeze(1))
    assert torch.all(gates.diff(dim=0) >= 0)
    assert float((gates[-1] - gates[0]).min()) > 0


def test_features_are_bounded_and_know_no_scale_of_the_last_layer():
    encoder = gated(False).eval()
    given, sigma = images(5, 1, 8, 8), torch.full((1, 1), 0.1)
    before = encoder(given, sigma)
    assert float(before.abs().max()) < 1
    with torch.no_grad():
        encoder.body.project.weight.mul_(7.0)
        encoder.body.project.bias.mul_(7.0)
    assert torch.allclose(encoder(given, sigma), before, atol=1e-5)


@pytest.mark.parametrize("variable", [False, True])
def test_a_gate_of_zero_leaves_its_feature_no_amplitude_and_every_gate_can_learn(variable):
    encoder = gated(variable).eval()
    given, sigma = images(5, 1, 8, 8), torch.full((1, 1), 0.3)
    encoder(given, sigma).square().sum().backward()
    for weight in encoder.gates.parameters():
        assert weight.grad is not None
        assert float(weight.grad.abs().sum()) > 0
    with torch.no_grad():
        for weight in list(encoder.gates.parameters())[-2 if variable else -1 :]:
            weight[6:] = 0
    features = encoder(given, sigma)
    assert torch.all(features[:, 6:] == 0)
    assert torch.all(features[:, :6].abs().amax(0) > 0)
