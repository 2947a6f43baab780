"""Jamming by an attacker who knows the frame: where its energy lies, and what it does."""

import pytest
import torch

from semveil import phy
from semveil.adversary.perturb.jamming import (
    Jamming,
    PilotJamming,
    SubcarrierJamming,
    TimedJamming,
)
from semveil.adversary.perturb.psr import to_psr
from semveil.channel import Channel, OfdmChannel
from semveil.rng import generator, normal

from .targets import clearly_stronger, incoming_of, right, target

# As MobileSC: 7 symbols of 64 + 16 samples, and 7 samples of the channel's tail.
PUBLISHED = OfdmChannel(csi="estimated")
SMALL = OfdmChannel(csi="estimated", subcarriers=16, prefix=8, taps=4)


def noise_of(attack, channel, uses, count=200):
    waveform = phy.normalise_power(
        normal((count, uses), dtype=torch.complex64, generator=generator(0))
    )
    arrival = channel.arrive(waveform, generator(1))
    victim = type("Link", (), {"channel": channel})
    incoming = type("Batch", (), {"arrival": arrival})
    (noise,) = attack.craft(victim, incoming, [-6.0], generator(2))
    return to_psr(noise, arrival.signal, -6.0), arrival


def heard(channel, arrival, noise):
    """What Bob makes of the noise: by linearity, what changes where no other noise is."""
    both = [
        channel.ofdm.demodulate(signal, (signal.shape[1] - channel.taps + 1) // 80)
        for signal in (arrival.signal + noise, arrival.signal)
    ]
    return both[0] - both[1]


def share_discarded(noise, arrival, channel=PUBLISHED):
    kept = heard(channel, arrival, noise).abs().square().sum((1, 2))
    return 1 - kept / noise.abs().square().sum(1)


@pytest.mark.parametrize(
    ("attack", "share"),
    [(Jamming(), 119 / 567), (TimedJamming(), 0), (PilotJamming(), 0), (SubcarrierJamming(), 0)],
)
def test_who_knows_the_timing_spends_nothing_on_what_bob_discards(attack, share):
    """Of 567 samples Bob discards 7 prefixes of 16 and 7 of the tail: 21 %."""
    noise, arrival = noise_of(attack, PUBLISHED, 384)
    assert phy.psr_db(noise, arrival.signal).tolist() == pytest.approx([-6.0] * 200, abs=1e-4)
    found = share_discarded(noise, arrival)
    # 200 images of 567 exponential draws each.
    assert float(found.mean()) == pytest.approx(share, abs=0.005 if share else 1e-5)


def test_pilots_alone_are_jammed():
    noise, arrival = noise_of(PilotJamming(), PUBLISHED, 384)
    power = heard(PUBLISHED, arrival, noise).abs().square().mean((0, 2))
    assert float(power[0]) > 0.1
    assert float(power[1:].max()) < 1e-6 * float(power[0])
    flat, arrival = noise_of(PilotJamming(), Channel(csi="estimated", pilots=4), 32)
    assert (flat[:, 4:] == 0).all()
    assert (flat[:, :4] != 0).all()


@pytest.mark.parametrize("count", [1, 8])
def test_so_many_subcarriers_are_jammed_others_in_every_image(count):
    noise, arrival = noise_of(SubcarrierJamming(subcarriers=count), PUBLISHED, 384)
    power = heard(PUBLISHED, arrival, noise).abs().square().mean(1)
    jammed = power > 1e-6 * power.max(1, keepdim=True).values
    assert jammed.sum(1).tolist() == [count] * 200
    assert jammed.any(0).float().mean() > 0.9


def test_where_there_is_nothing_to_know_they_do_not_apply():
    attacks = TimedJamming(), PilotJamming(), SubcarrierJamming()
    assert [one.applies_to(Channel()) for one in attacks] == [False] * 3
    assert [one.applies_to(Channel(csi="estimated")) for one in attacks] == [False, True, False]
    assert [one.applies_to(PUBLISHED) for one in attacks] == [True] * 3


def test_knowing_the_timing_is_worth_a_decibel(victim):
    bob = target(victim, SMALL, snr_db=15.0)
    incoming = incoming_of(victim, bob)
    rates = []
    for attack in (Jamming(), TimedJamming()):
        (noise,) = attack.craft(bob, incoming, [-2.0], generator(1))
        rates.append(right(bob, incoming, noise, -2.0))
    assert clearly_stronger(*rates)
