"""The universal perturbation: one for all, trained on Mallory's images, good on others."""

import pytest
import torch

from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.universal import UAP
from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.recipe import AttackConfig as Settings
from semveil.rng import generator

from .targets import clearly_stronger, found, part, right, scene_of, target, told

SETTINGS = Settings(steps=10, epochs=3, batch=100)


def test_every_image_gets_one_perturbation_and_every_budget_its_own(victim):
    bob = target(victim)
    low, high = found(UAP(SETTINGS), victim, bob, scene_of(victim, bob), [-10.0, 0.0])
    assert torch.equal(low, low[:1].expand_as(low))
    assert torch.equal(high, high[:1].expand_as(high))
    cosine = torch.linalg.vecdot(low[0], high[0]).abs() / (low[0].norm() * high[0].norm())
    assert float(cosine) < 0.999


def test_the_wanted_class_is_answered_more_often_by_others_images_too(victim):
    bob = target(victim)
    scene = scene_of(victim, bob)
    towards = SETTINGS.model_copy(update={"wrong": 3})
    delta = found(UAP(towards), victim, bob, scene, [0.0])[0]
    others = scene.labels != 3

    def share(injected):
        answers = bob.answer(scene, injected, generator(8)).logits.argmax(1)
        return float((answers[others] == 3).float().mean())

    assert share(None) < 0.05
    assert share(bob.arriving(delta, scene, 0.0)) > 0.5


def test_who_trains_over_her_path_is_stronger_over_it_than_who_forgets_it(victim):
    """With an unknown phase the best plan is another one than with a known phase."""
    path = AttackerChannel(timing=3, phase=True)
    over_path, certain = target(victim, path=path), target(victim)
    scene = scene_of(victim, certain)
    (wise,) = found(UAP(SETTINGS), victim, over_path, scene, [0.0])
    (blind,) = found(UAP(SETTINGS), victim, certain, scene, [0.0])
    forgets, knows, certain_of = (
        right(bob, scene, delta, 0.0, draws=16)
        for bob, delta in ((over_path, blind), (over_path, wise), (certain, blind))
    )
    assert clearly_stronger(forgets, knows)
    # And not knowing her path costs her, whatever she does.
    assert clearly_stronger(knows, certain_of)


def test_a_few_images_are_judged_over_many_fadings(victim):
    """Over Rayleigh fading, one draw per held-out image would let the luckiest pass win."""
    bob = target(victim, Channel("rayleigh"), snr_db=15.0)
    scene = scene_of(victim, bob)
    short, long = (
        found(UAP(SETTINGS.model_copy(update={"epochs": n})), victim, bob, scene, [-3.0])[0]
        for n in (1, 8)
    )
    seconds, firsts = (float(right(bob, scene, delta, -3.0).mean()) for delta in (long, short))
    assert seconds < firsts + 0.02


def test_one_image_is_not_enough_and_a_budget_must_have_been_prepared(victim):
    bob = target(victim)
    images, labels = part(victim, "adversary", 1)
    with pytest.raises(SemveilError, match="judge"):
        UAP(SETTINGS).fit(bob, images, labels, [0.0], 0, told)
    attack = UAP(Settings(steps=1, epochs=1))
    attack.fit(bob, *part(victim, "adversary", 20), [0.0], 0, told)
    with pytest.raises(ValueError, match="not fitted"):
        attack.craft(bob, scene_of(victim, bob, count=2), [1.0], generator(0))
