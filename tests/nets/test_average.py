"""The moving average of weights, against torch's own."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from semveil.nets.average import MovingAverage
from semveil.rng import generator, seeded


def test_it_is_torchs_average_to_the_last_bit():
    with seeded(0):
        network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    ours = MovingAverage(network, decay=0.9)
    theirs = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.1)
    for step in range(5):
        optimiser.zero_grad()
        network(torch.randn(8, 3, generator=generator(step))).square().sum().backward()
        optimiser.step()
        ours.update()
        theirs.update_parameters(network)
    wanted = theirs.module.state_dict()
    assert ours.network.state_dict().keys() == wanted.keys()
    for name, value in ours.network.state_dict().items():
        assert torch.equal(value, wanted[name]), name


def test_networks_swap_weights_and_swap_them_back():
    with seeded(0):
        network = nn.Linear(2, 2)
    average = MovingAverage(network, decay=0.5)
    before = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        network.weight.add_(1)
    average.swap()
    assert torch.equal(network.weight, before["weight"])
    average.swap()
    assert torch.equal(network.weight, before["weight"] + 1)
    average.update()
    assert torch.equal(average.network.weight, network.weight)
