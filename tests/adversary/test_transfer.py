"""Transfer: what a surrogate of Bob is trained on, and that nothing of Bob is asked."""

import pytest
import torch
from torch.nn import functional as F

from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.psr import jamming
from semveil.adversary.perturb.transfer import Transfer
from semveil.channel import Channel, OfdmChannel
from semveil.nets.dense import Mlp, ResidualMlp
from semveil.rng import generator

from .targets import clearly_stronger, found, incoming_of, part, right, target, told


def transfer(epochs=8):
    attack = Transfer(steps=5, restarts=1, epochs=epochs, lr=5e-3)
    return attack.towards(Goal(batch=64))


def nobody(reception, messages):
    raise AssertionError("Bob was asked")


def test_bob_is_attacked_without_being_asked(victim):
    deaf, bob = target(victim, receive=nobody), target(victim)
    incoming = incoming_of(victim, bob)
    (delta,) = found(transfer(), victim, deaf, incoming, [-6.0])
    noise = jamming(incoming.arrival.signal, -6.0, generator=generator(1))
    assert clearly_stronger(right(bob, incoming, noise, -6.0), right(bob, incoming, delta, -6.0))


def test_the_surrogate_has_learned_the_task_from_receptions(victim):
    bob = target(victim, receive=nobody)
    attack = transfer()
    attack.fit(bob, *part(victim, "adversary"), [-6.0], 0, told)
    incoming = incoming_of(victim, bob)
    heard = bob.channel.hear(incoming.arrival, 10.0, generator=generator(2))
    guesses = attack.network(heard.features()).argmax(1)
    assert (guesses == incoming.labels).float().mean() > 0.8


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
    incoming = incoming_of(victim, bob, count=10)
    for shape in shapes.values():
        attack = transfer(epochs=1)
        attack.surrogate = shape
        (delta,) = found(attack, victim, bob, incoming, [-6.0])
        assert delta.shape == incoming.arrival.signal.shape


def test_it_fools_the_surrogate_itself_more_than_bob(victim):
    bob = target(victim)
    attack = transfer()
    incoming = incoming_of(victim, bob)
    (delta,) = found(attack, victim, bob, incoming, [-8.0])
    heard = bob.channel.hear(
        incoming.arrival, 10.0, generator=generator(2), injected=bob.arriving(delta, incoming, -8.0)
    )
    at_home = F.one_hot(attack.network(heard.features()).argmax(1), 10)
    at_home = at_home.gather(1, incoming.labels.unsqueeze(1)).squeeze(1).float()
    assert clearly_stronger(right(bob, incoming, delta, -8.0), at_home)


def test_the_global_random_state_is_left_alone(victim):
    bob = target(victim)
    before = torch.get_rng_state()
    found(
        transfer(epochs=1),
        victim,
        bob,
        incoming_of(victim, bob, count=2),
        [-6.0],
    )
    assert torch.equal(torch.get_rng_state(), before)


def test_it_cannot_craft_before_it_has_a_surrogate(victim):
    bob = target(victim)
    with pytest.raises(ValueError, match="no surrogate"):
        transfer().craft(bob, incoming_of(victim, bob, count=2), [-6.0], generator(0))
