"""Auto-PGD: its checkpoints, exact budgets, and at least PGD's strength at equal steps."""

import pytest
import torch

from semveil import phy
from semveil.adversary.perturb.apgd import APGD, auto_descend, checkpoints
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.iterative import PGD
from semveil.channel import Channel
from semveil.rng import generator, normal

from .targets import found, incoming_of, right, target


def test_checkpoints_are_those_of_the_paper():
    """At 100 steps: 22 % first, then ever shorter periods, of at least 6 % each."""
    assert checkpoints(100)[:6] == [22, 41, 57, 70, 80, 87]
    assert checkpoints(100)[6:] == [93, 99]


@pytest.mark.parametrize("channel", ["awgn", "rayleigh"])
def test_at_equal_steps_it_leaves_bob_no_more_than_pgd_does(victim, channel):
    bob = target(victim, Channel(channel), snr_db=12.0)
    incoming = incoming_of(victim, bob)
    budgets = [-26.0, -18.0, -14.0, -10.0]
    rates = {
        kind.name: [
            float(right(bob, incoming, delta, psr_db).mean())
            for delta, psr_db in zip(
                found(kind(steps=20, restarts=1), victim, bob, incoming, budgets),
                budgets,
                strict=True,
            )
        ]
        for kind in (PGD, APGD)
    }
    # Means over eight draws of the noise: half a point is chance.
    for theirs, ours in zip(rates["pgd"], rates["apgd"], strict=True):
        assert ours <= theirs + 0.005
    assert rates["apgd"][-1] < rates["pgd"][-1] + 0.002


def test_it_ends_on_the_sphere_of_its_budget_and_nearer_to_a_known_optimum():
    """A quadratic with slopes of very different size, whose least value on the sphere is known."""
    signal = normal((20, 12), dtype=torch.complex64, generator=generator(0))
    pull = 10 ** torch.linspace(-1, 1, 12)

    def loss(delta, step):
        return (pull * (delta.abs().square())).sum(1)

    start = normal((20, 12), dtype=torch.complex64, generator=generator(1))
    least = 0.1 * signal.abs().square().sum(1) * 10**-1
    ours, theirs = (search(signal, loss, -10.0, 30, start) for search in (auto_descend, descend))
    assert phy.psr_db(ours, signal).tolist() == pytest.approx([-10.0] * 20, abs=1e-4)
    over = [(loss(delta, 0) / least - 1).mean() for delta in (ours, theirs)]
    assert over[0] < 0.5 * over[1]
