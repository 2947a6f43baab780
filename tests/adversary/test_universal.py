"""The universal perturbation: one for all, trained on Mallory's images, good on others."""

import pytest
import torch

from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.universal import UAP
from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.rng import generator

from .targets import clearly_stronger, found, incoming_of, part, right, target, told


def uap(epochs=3, **goal):
    return UAP(steps=10, epochs=epochs).towards(Goal(batch=100, **goal))


def test_every_image_gets_one_perturbation_and_every_budget_its_own(victim):
    bob = target(victim)
    low, high = found(uap(), victim, bob, incoming_of(victim, bob), [-10.0, 0.0])
    assert torch.equal(low, low[:1].expand_as(low))
    assert torch.equal(high, high[:1].expand_as(high))
    cosine = torch.linalg.vecdot(low[0], high[0]).abs() / (low[0].norm() * high[0].norm())
    assert float(cosine) < 0.999


def test_the_wanted_class_is_answered_more_often_by_others_images_too(victim):
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    delta = found(uap(target_class=3), victim, bob, incoming, [0.0])[0]
    others = incoming.labels != 3

    def share(injected):
        answers = bob.answer(incoming, injected, generator(8)).logits.argmax(1)
        return float((answers[others] == 3).float().mean())

    assert share(None) < 0.05
    assert share(bob.arriving(delta, incoming, 0.0)) > 0.5


def test_training_over_the_attackers_channel_makes_it_stronger_over_that_channel(victim):
    """With an unknown phase the best plan is another one than with a known phase."""
    unknown = target(victim, attacker_channel=AttackerChannel(timing=3, phase=True))
    certain = target(victim)
    incoming = incoming_of(victim, certain)
    (wise,) = found(uap(), victim, unknown, incoming, [0.0])
    (blind,) = found(uap(), victim, certain, incoming, [0.0])
    forgets, knows, certain_of = (
        right(bob, incoming, delta, 0.0, draws=16)
        for bob, delta in ((unknown, blind), (unknown, wise), (certain, blind))
    )
    assert clearly_stronger(forgets, knows)
    # And an unknown channel makes the attack weaker in any case.
    assert clearly_stronger(knows, certain_of)


def test_a_few_images_are_validated_over_many_fadings(victim):
    """Over Rayleigh fading, one draw per held-out image would let the luckiest pass win."""
    bob = target(victim, Channel("rayleigh"), snr_db=15.0)
    incoming = incoming_of(victim, bob)
    short, long = (found(uap(epochs=n), victim, bob, incoming, [-3.0])[0] for n in (1, 8))
    seconds, firsts = (float(right(bob, incoming, delta, -3.0).mean()) for delta in (long, short))
    assert seconds < firsts + 0.02


def test_one_image_is_not_enough_and_a_budget_must_have_been_prepared(victim):
    bob = target(victim)
    images, labels = part(victim, "adversary", 1)
    with pytest.raises(SemveilError, match="validate"):
        uap().fit(bob, images, labels, [0.0], 0, told)
    attack = UAP(steps=1, epochs=1)
    attack.fit(bob, *part(victim, "adversary", 20), [0.0], 0, told)
    with pytest.raises(ValueError, match="not fitted"):
        attack.craft(bob, incoming_of(victim, bob, count=2), [1.0], generator(0))
