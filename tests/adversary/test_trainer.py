"""Rounds of training, the averaged weights and what counts as converged."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from semveil.adversary.eavesdrop.trainer import Effort, train_network
from semveil.rng import seeded

CPU = torch.device("cpu")


def linear():
    with seeded(0):
        return nn.Linear(4, 1)


def regression(network, noise):
    """Return the loss of a batch with noisy answers, and the exact loss."""
    truth = torch.tensor([1.0, -2.0, 3.0, 0.5])

    def step(rows, source):
        x = torch.randn(len(rows), 4, generator=source)
        wanted = x @ truth + noise * torch.randn(len(rows), generator=source)
        return (network(x)[:, 0] - wanted).square().mean()

    def validate():
        return float((network.weight[0] - truth).square().sum() + network.bias.square().sum())

    return step, validate


def trained(effort, noise=0.0, images=2560, **more):
    network = linear()
    step, validate = regression(network, noise)
    converged = train_network(network, step, validate, images, effort, 0, ("toy",), CPU, **more)
    return converged, validate()


def test_training_that_was_cut_off_has_not_converged():
    converged, short = trained(Effort(5, 5))
    assert not converged
    ended, long = trained(Effort(400, 8, rounds=4))
    assert ended
    assert long < short / 10


def test_a_further_round_goes_on_where_the_one_before_ended():
    told = []
    _, one = trained(Effort(5, 5), progress=lambda *done: told.append(done))
    assert told[-1] == (5, 5)
    told.clear()
    _, three = trained(Effort(5, 5, rounds=3), progress=lambda *done: told.append(done))
    assert told[-1] == (15, 15)
    assert three < one


def test_averaged_weights_are_kept_where_noise_moves_the_others():
    """From the truth, noisy steps lead away; less so their average."""
    network = linear()
    with torch.no_grad():
        network.weight[:] = torch.tensor([1.0, -2.0, 3.0, 0.5])
        network.bias.zero_()
    step, validate = regression(network, noise=1.0)
    raw, averaged = [], []

    def watched():
        averaged.append(validate())
        return averaged[-1]

    def begin(epoch):
        raw.append(validate())

    train_network(network, step, watched, 2560, Effort(60, 60), 0, ("toy",), CPU, begin=begin)
    assert sum(averaged[5:40]) < sum(raw[6:41])
    assert validate() == pytest.approx(min(averaged))


def test_the_same_seed_gives_the_same_weights():
    torch.manual_seed(1)
    first = trained(Effort(3, 3, rounds=2), noise=1.0)
    torch.randn(7)
    assert trained(Effort(3, 3, rounds=2), noise=1.0) == first


def test_every_epoch_is_announced_once():
    told = []
    trained(Effort(4, 4, rounds=2), begin=told.append)
    assert told == list(range(8))
