"""Generators: their inputs, and that one waveform does not depend on the others."""

from __future__ import annotations

import pytest
import torch

from semveil.nets.generator import Discriminator, GeneratorNetwork
from semveil.rng import generator, normal, seeded


def network(classes=0):
    with seeded(0, "generator"):
        return GeneratorNetwork(12, classes)


def seeds(count=5):
    return normal((count, network().seeds), generator=generator(1))


def test_a_waveform_depends_on_its_own_seeds_budget_and_class_alone():
    aimed, given = network(classes=3), seeds()
    budgets, targets = torch.full((5,), -6.0), torch.tensor([0, 1, 2, 0, 1])
    drawn = aimed(given, budgets, targets)
    assert drawn.shape == (5, 12)
    assert drawn.dtype == torch.complex64
    for row in range(5):
        alone = aimed(given[row, None], budgets[row, None], targets[row, None])
        assert torch.allclose(alone[0], drawn[row], atol=1e-6)
    for changed in (
        aimed(seeds() + 1, budgets, targets),
        aimed(given, budgets + 4, targets),
        aimed(given, budgets, (targets + 1) % 3),
    ):
        assert ((changed - drawn).abs().amax(1) > 1e-3).all()


def test_targets_are_given_to_conditional_generators_alone():
    with pytest.raises(ValueError, match="unconditional generator: targets must be None"):
        network()(seeds(), torch.zeros(5), torch.zeros(5, dtype=torch.long))
    with pytest.raises(ValueError, match="conditional generator: targets must be given"):
        network(classes=3)(seeds(), torch.zeros(5))


def test_the_discriminator_has_three_layers_and_learns_what_noise_is():
    with seeded(0, "discriminator"):
        judge = Discriminator(12, width=32)
    assert sum(isinstance(layer, torch.nn.Linear) for layer in judge.network) == 3
    optimiser = torch.optim.Adam(judge.parameters(), lr=1e-2)
    source = generator(2)
    noise, shifted = (normal((400, 12), dtype=torch.complex64, generator=source) for _ in "ab")
    shifted = 0.5 * shifted + normal((1, 12), dtype=torch.complex64, generator=source)
    for _ in range(60):
        optimiser.zero_grad()
        rows = slice(0, 300)
        loss = torch.nn.functional.softplus(-judge(noise[rows])).mean()
        loss = loss + torch.nn.functional.softplus(judge(shifted[rows])).mean()
        loss.backward()
        optimiser.step()
    assert (judge(noise[300:]) > 0).float().mean() > 0.8
    assert (judge(shifted[300:]) < 0).float().mean() > 0.8
