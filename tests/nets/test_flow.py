"""The flow: from the mean of what fits an observation to one thing that fits it."""

import pytest
import torch
from torch import nn

from semveil.nets.flow import Flow
from semveil.rng import generator, seeded


class Grey(nn.Module):
    """The mean of black and white pictures."""

    def forward(self, observations):
        return torch.full((len(observations), 1, 8, 8), 0.5)


@pytest.mark.slow
def test_a_flow_turns_the_mean_of_two_kinds_of_pictures_into_one_of_them():
    with seeded(0):
        flow = Flow(Grey(), (1, 8, 8))
    optimiser = torch.optim.Adam(flow.velocity.parameters(), 2e-3)
    source, nothing = generator(1), torch.zeros(64, 1)
    for _ in range(250):
        white = torch.rand(64, 1, 1, 1, generator=source) < 0.5
        loss = flow.error(nothing, white.float().expand(-1, 1, 8, 8), source)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        levels = flow.eval()(torch.zeros(200, 1)).mean((1, 2, 3))
    assert float(((levels - 0.5).abs() > 0.3).float().mean()) > 0.9
    assert 0.2 < float((levels > 0.5).float().mean()) < 0.8


def test_a_flow_leaves_its_inverter_alone_and_repeats_itself():
    with seeded(0):
        inverter = nn.Sequential(nn.Linear(4, 64), nn.Unflatten(1, (1, 8, 8)), nn.Dropout())
        flow = Flow(inverter, (1, 8, 8)).train()
    observations = torch.randn(3, 4, generator=generator(2))
    flow.error(
        observations, torch.rand(3, 1, 8, 8, generator=generator(3)), generator(4)
    ).backward()
    assert all(weight.grad is None for weight in inverter.parameters())
    assert any(weight.grad is not None for weight in flow.velocity.parameters())
    with torch.no_grad():
        assert torch.equal(flow(observations), flow(observations))
