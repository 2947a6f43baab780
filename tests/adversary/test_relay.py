"""The relay: what Mallory does to a keyed link without the key, at exactly her budget."""

from dataclasses import replace

import pytest
import torch

import semveil
from semveil import phy
from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.relay import Relay
from semveil.attacks import UAP, Jamming
from semveil.channel import Channel, OfdmChannel
from semveil.link import as_float
from semveil.protect.invariant import QUATERNION_FACTORS
from semveil.protect.keys import research_key
from semveil.protect.rotation import Rotation
from semveil.rng import generator, normal

from .targets import found, incoming_of, part, target

CHANNELS = [
    Channel("rayleigh"),
    Channel("rayleigh", "estimated", pilots=2),
    OfdmChannel(csi="estimated", subcarriers=16, prefix=8, taps=4),
]
by_name = pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)


@by_name
def test_it_changes_the_symbols_as_if_alice_had_sent_others(channel):
    """What arrives with the relay is what arrives if Alice's antenna sends c·z."""
    z, c = (normal((3, 16), dtype=torch.complex128, generator=generator(seed)) for seed in (1, 2))
    arrival = channel.arrive(z, generator(3))
    changed = channel.arrive(c * z, generator(3))
    added = channel.relayed((c - 1) * z, arrival.fading)
    torch.testing.assert_close(arrival.signal + added, changed.signal, atol=1e-12, rtol=0)


def test_public_pilots_have_a_factor_of_their_own():
    z = normal((3, 16), dtype=torch.complex64, generator=generator(1))
    for channel in CHANNELS[1:]:
        arrival = channel.arrive(z, generator(3))
        added = channel.relayed(torch.zeros_like(z), arrival.fading, -1.0)
        # Without pilots the LMMSE estimate is zero.
        heard = channel.hear(arrival, 80.0, generator=generator(4), injected=added)
        assert float(heard.csi.abs().max()) < 1e-3


@by_name
def test_psr_is_met_exactly(victim, channel):
    bob = target(victim, channel)
    incoming = incoming_of(victim, bob, count=20)
    attack = Relay(steps=2, epochs=2).towards(Goal(batch=64))
    deltas = found(attack, victim, bob, incoming, [-9.0, 3.0])
    for delta, psr_db in zip(deltas, [-9.0, 3.0], strict=True):
        arrived = bob.arriving(delta, incoming, psr_db)
        measured = phy.psr_db(arrived, incoming.arrival.signal)
        assert measured.tolist() == pytest.approx([psr_db] * 20, abs=1e-4)


def test_it_uses_what_is_heard_and_neither_images_nor_classes_nor_another_keys_signal(victim):
    bob = target(victim, Channel("rayleigh"))
    incoming = incoming_of(victim, bob, count=8)
    attack = Relay(steps=2, epochs=1).towards(Goal(batch=64))
    before = found(attack, victim, bob, incoming, [0.0])
    blind = replace(
        incoming,
        labels=torch.zeros_like(incoming.labels),
        images=torch.zeros_like(incoming.images),
        arrival=replace(incoming.arrival, signal=torch.randn_like(incoming.arrival.signal)),
    )
    assert torch.equal(attack.craft(bob, blind, [0.0], generator(0, "craft")), before)
    other = replace(incoming, waveform=-incoming.waveform)
    assert torch.equal(attack.craft(bob, other, [0.0], generator(0, "craft")), -before)


def test_bob_decrypts_the_same_under_every_key(victim):
    """What was found under one key does exactly the same to a pair with another one."""
    link, messages = victim.link, torch.arange(8)
    plain = target(victim, Channel("awgn"))
    heard = {}
    for seed in (1, 2):
        rotation = Rotation(research_key(seed))

        def transmit(images, source, numbers, rotation=rotation):
            blocks = link.transmit(images, source).unflatten(1, (-1, 2))
            unit = blocks / blocks.norm(dim=2, keepdim=True) * 2**0.5
            return rotation.encrypt(unit.flatten(1), numbers)

        pair = replace(plain, transmit=transmit, invariant_maps=QUATERNION_FACTORS)
        images, labels = part(victim, "test", 8)
        incoming = pair.send(as_float(images), labels, generator(3), messages)
        attack = Relay(steps=1, epochs=1)
        factors = normal((1, 17), dtype=torch.complex64, generator=generator(4))
        attack.found = {0.0: factors}
        delta = attack.craft(pair, incoming, [0.0], generator(0))[0]
        arrived = incoming.arrival.signal + pair.arriving(delta, incoming, 0.0)
        heard[seed] = (
            rotation.decrypt(arrived, messages),
            rotation.decrypt(incoming.arrival.signal, messages),
        )
    torch.testing.assert_close(heard[1], heard[2], atol=1e-5, rtol=0)
    assert (heard[1][0] - heard[1][1]).abs().max() > 0.5


@pytest.mark.parametrize("share", [0.125, 0.5, 1.0])
def test_it_changes_no_more_blocks_than_it_is_told(victim, share):
    bob = target(victim, Channel("awgn"))
    incoming = incoming_of(victim, bob, count=4)
    attack = Relay(share=share)
    symbols = incoming.waveform.shape[1]
    attack.found = {0.0: torch.ones(1, symbols + 1) + 0j}
    (delta,) = attack.craft(bob, incoming, [0.0], generator(0))
    hit = delta.unflatten(1, (-1, 2)).abs().sum(2) > 0
    assert hit.sum(1).tolist() == [round(share * symbols / 2)] * 4


def accuracies(recipe):
    link = semveil.train(recipe, {"train.epochs": 30})
    found = semveil.evaluate(
        link,
        data=semveil.data.load("digits"),
        eavesdroppers=(),
        attacks=[Jamming(), UAP(), Relay()],
        psr_db=[-2],
        snr_db=[10],
    )
    return {
        record.adversary: record
        for record in found.records
        if record.metric == "accuracy" and record.image_class is None and record.role == "bob"
    }


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["rotation-digits", "shuffle-digits"])
def test_behind_a_key_only_the_relay_does_more_than_noise(recipe):
    bob = accuracies(recipe)
    assert bob["relay"].ci_high < min(bob[name].ci_low for name in ("jamming", "uap"))
    # An additive perturbation that was trained under another key is no more than noise.
    assert bob["uap"].ci_high > bob["jamming"].ci_low


@pytest.mark.slow
def test_without_a_key_an_additive_perturbation_does_more_than_noise_too():
    bob = accuracies("deepjscc-digits")
    for name in ("uap", "relay"):
        assert bob[name].ci_high < bob["jamming"].ci_low
