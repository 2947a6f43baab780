"""The black-box attack: no gradients, no more questions than stated, and none asked in vain."""

import torch
from torch.nn import functional as F

from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.blackbox import BlackBox, propose
from semveil.adversary.perturb.psr import jamming
from semveil.link import Answer
from semveil.rng import generator, normal

from .targets import clearly_stronger, found, incoming_of, right, target


def test_bob_is_asked_no_more_than_allowed_and_gives_no_gradient(victim):
    asked = []

    def receive(reception, messages):
        assert not torch.is_grad_enabled()
        asked.append(len(messages))
        return Answer(victim.link.classifier(reception.features()))

    bob = target(victim, receive=receive)
    incoming = incoming_of(victim, bob, count=30)
    found(BlackBox(queries=21).towards(Goal(draws=2)), victim, bob, incoming, [-6.0, -3.0])
    assert sum(asked) == 2 * 20 * 30


def test_more_questions_are_stronger(victim):
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    few, many = (
        right(bob, incoming, found(BlackBox(queries=n), victim, bob, incoming, [-6.0])[0], -6.0)
        for n in (20, 200)
    )
    assert clearly_stronger(few, many)


def test_it_defeats_a_receiver_without_slope_whose_scores_hardly_differ(victim):
    """Bob decides for the nearest of four points before he classifies: no gradient is left."""

    def receive(reception, messages):
        features = reception.features()
        signs = torch.cat([features[:, :-1].sign() * 0.5**0.5, features[:, -1:]], 1)
        coarse = victim.link.classifier(signs).softmax(1)
        return Answer((coarse * 20).round() / 20)

    bob = target(victim, receive=receive)
    incoming = incoming_of(victim, bob)
    noise = jamming(incoming.arrival.signal, -3.0, generator=generator(1))
    (delta,) = found(BlackBox(queries=200), victim, bob, incoming, [-3.0])
    assert clearly_stronger(right(bob, incoming, noise, -3.0), right(bob, incoming, delta, -3.0))


def test_a_proposal_changes_one_stretch_of_time_or_one_band_of_frequencies():
    delta = normal((50, 40), dtype=torch.complex64, generator=generator(0))
    source = generator(1)
    in_time = (propose(delta, 0.1, False, source) != delta).int()
    moved = torch.fft.fft(propose(delta, 0.1, True, source) - delta, norm="ortho")
    for changed in (in_time, (moved.abs() > 1e-4).int()):
        assert changed.sum(1).tolist() == [4] * 50
        # In one piece, seen round the end: one place where it begins.
        begins = F.relu(changed - changed.roll(1, 1))
        assert begins.sum(1).tolist() == [1] * 50
    assert len(in_time.argmax(1).unique()) > 10


def test_what_is_new_has_the_power_of_the_whole():
    delta = 3 * normal((400, 40), dtype=torch.complex64, generator=generator(0))
    fresh = propose(delta, 1.0, False, generator(1))
    # 16000 exponential draws of mean 9: four standard errors are 3 %.
    assert abs(float(fresh.abs().square().mean()) / 9 - 1) < 0.032
