"""The black-box attack: no gradients, no more questions than stated, and none asked in vain."""

from collections import Counter

import pytest
import torch
from torch.nn import functional as F

from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.blackbox import BlackBox, propose
from semveil.adversary.perturb.psr import jamming
from semveil.link import Answer
from semveil.rng import generator, normal

from .targets import clearly_stronger, found, incoming_of, part, right, target, told


def counting(victim, asked):
    """Bob, who counts how often he is asked about each message."""

    def receive(reception, messages):
        assert not torch.is_grad_enabled()
        asked.update(messages.tolist())
        return Answer(victim.link.classifier(reception.features()))

    return receive


@pytest.mark.parametrize(("queries", "draws"), [(210, 2), (121, 1)])
def test_bob_is_asked_no_more_than_allowed_and_gives_no_gradient(victim, queries, draws):
    asked = Counter()
    bob = target(victim, receive=counting(victim, asked))
    incoming = incoming_of(victim, bob, count=30)
    budgets = [-12.0, -6.0, 0.0]
    attack = BlackBox(queries=queries).towards(Goal(draws=draws))
    found(attack, victim, bob, incoming, budgets)
    assert len(asked) == 30
    allowed = queries // (2 * draws) * 2 * draws * len(budgets)
    assert max(asked.values()) <= allowed <= queries * len(budgets)
    # A strong perturbation is found soon, and then no more is asked.
    assert sum(asked.values()) < 0.9 * 30 * allowed


def test_more_questions_are_stronger(victim):
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    few, many = (
        right(bob, incoming, found(BlackBox(queries=n), victim, bob, incoming, [-8.0])[0], -8.0)
        for n in (60, 600)
    )
    assert clearly_stronger(few, many)
    assert float(many.mean()) < 0.6 * float(few.mean())


def test_a_long_search_is_not_ended_by_noise(victim):
    """Of thousands of noisy answers a few in a row are wrong by chance."""
    bob = target(victim, snr_db=6.0)
    incoming = incoming_of(victim, bob, count=150)
    attack = BlackBox(queries=4000, curve=[400])
    attack.fit(bob, *part(victim, "adversary"), [-8.0], 0, told)
    stages = attack.craft_stages(bob, incoming, [-8.0], generator(0, "craft"))
    early, late = (
        float(right(bob, incoming, stages[name][0], -8.0).mean())
        for name in ("after_400_queries", "")
    )
    assert late < early - 0.2


def test_its_course_is_that_of_a_search_which_ends_there_or_goes_on(victim):
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    attack = BlackBox(queries=200, curve=[20, 60, 200, 600])
    stages = attack.craft_stages(bob, incoming, [-6.0], generator(0, "craft"))
    assert list(stages) == ["after_20_queries", "after_60_queries", ""]
    rates = [right(bob, incoming, deltas[0], -6.0) for deltas in stages.values()]
    assert clearly_stronger(rates[0], rates[1])
    assert clearly_stronger(rates[1], rates[2])


def test_budgets_are_searched_on_their_own(victim):
    """What is searched beside a budget changes its draws, and not its strength."""
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    alone = found(BlackBox(queries=60), victim, bob, incoming, [-6.0])[0]
    beside = found(BlackBox(queries=60), victim, bob, incoming, [-30.0, -6.0, 6.0])[1]
    rates = [float(right(bob, incoming, delta, -6.0).mean()) for delta in (alone, beside)]
    assert rates[0] == pytest.approx(rates[1], abs=0.06)


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
    in_time = (propose(delta, 0.1, 1.0, False, source) != delta).int()
    moved = torch.fft.fft(propose(delta, 0.1, 1.0, True, source) - delta, norm="ortho")
    for changed in (in_time, (moved.abs() > 1e-4).int()):
        assert changed.sum(1).tolist() == [4] * 50
        # In one piece, seen round the end: one place where it begins.
        begins = F.relu(changed - changed.roll(1, 1))
        assert begins.sum(1).tolist() == [1] * 50
    assert len(in_time.argmax(1).unique()) > 10


def test_what_is_added_has_the_stated_share_of_the_power():
    delta = 3 * normal((400, 40), dtype=torch.complex64, generator=generator(0))
    added = propose(delta, 1.0, 0.5, False, generator(1)) - delta
    # 16000 exponential draws of mean 9 / 4: four standard errors are 3 %.
    assert abs(float(added.abs().square().mean()) * 4 / 9 - 1) < 0.032
