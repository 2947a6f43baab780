"""Transfer: what a surrogate of Bob is trained on, and that nothing of Bob is asked."""

import pytest
import torch
from torch.nn import functional as F

from semveil.adversary.perturb.psr import jamming
from semveil.adversary.perturb.transfer import Transfer
from semveil.channel import Channel, OfdmChannel
from semveil.nets.dense import Mlp, ResidualMlp
from semveil.recipe import AttackConfig as Settings
from semveil.rng import generator

from .targets import clearly_stronger, found, part, right, scene_of, target, told

SETTINGS = Settings(steps=5, restarts=1, epochs=8, lr=5e-3, batch=64)


def nobody(reception, messages):
    raise AssertionError("Bob was asked")


def test_bob_is_not_asked_and_yet_disturbed(victim):
    deaf, bob = target(victim, receive=nobody), target(victim)
    scene = scene_of(victim, bob)
    (delta,) = found(Transfer(SETTINGS), victim, deaf, scene, [-6.0])
    noise = jamming(scene.arrival.signal, -6.0, generator=generator(1))
    assert clearly_stronger(right(bob, scene, noise, -6.0), right(bob, scene, delta, -6.0))


def test_the_surrogate_has_learned_the_task_from_receptions(victim):
    bob = target(victim, receive=nobody)
    attack = Transfer(SETTINGS)
    attack.fit(bob, *part(victim, "adversary"), [-6.0], 0, told)
    scene = scene_of(victim, bob)
    heard = bob.channel.hear(scene.arrival, 10.0, generator=generator(2))
    guesses = attack.network(heard.features()).argmax(1)
    assert (guesses == scene.labels).float().mean() > 0.8


@pytest.mark.parametrize(
    "channel",
    [Channel("rayleigh", "estimated"), OfdmChannel(subcarriers=16, prefix=8, taps=4)],
    ids=lambda channel: channel.name,
)
def test_the_surrogate_may_be_of_any_shape_over_any_channel(victim, channel):
    bob = target(victim, channel, receive=nobody)
    shapes = {
        "linear": lambda inputs, classes: Mlp(inputs, (), classes),
        "residual": lambda inputs, classes: ResidualMlp(inputs, 16, 2, classes),
    }
    scene = scene_of(victim, bob, count=10)
    quick = SETTINGS.model_copy(update={"epochs": 1})
    for shape in shapes.values():
        (delta,) = found(Transfer(quick, shape), victim, bob, scene, [-6.0])
        assert delta.shape == scene.arrival.signal.shape


def test_it_fools_the_surrogate_itself_more_than_bob(victim):
    bob = target(victim)
    attack = Transfer(SETTINGS)
    scene = scene_of(victim, bob)
    (delta,) = found(attack, victim, bob, scene, [-8.0])
    heard = bob.channel.hear(
        scene.arrival, 10.0, generator=generator(2), injected=bob.arriving(delta, scene, -8.0)
    )
    at_home = F.one_hot(attack.network(heard.features()).argmax(1), 10)
    at_home = at_home.gather(1, scene.labels.unsqueeze(1)).squeeze(1).float()
    assert clearly_stronger(right(bob, scene, delta, -8.0), at_home)


def test_the_global_random_state_is_left_alone(victim):
    bob = target(victim)
    before = torch.get_rng_state()
    found(
        Transfer(SETTINGS.model_copy(update={"epochs": 1})),
        victim,
        bob,
        scene_of(victim, bob, count=2),
        [-6.0],
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_it_cannot_craft_before_it_has_a_surrogate(victim):
    bob = target(victim)
    with pytest.raises(ValueError, match="no surrogate"):
        Transfer(SETTINGS).craft(bob, scene_of(victim, bob, count=2), [-6.0], generator(0))
