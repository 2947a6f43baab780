"""The least power against decoders: the closed form of a vote, and a fading that is known."""

import pytest
import torch

from semveil import phy
from semveil.adversary.perturb.minimum import MinimumPower
from semveil.adversary.perturb.psr import to_psr
from semveil.adversary.perturb.victim import Victim
from semveil.adversary.perturb.vulnerable import VulnerableSet, cells, from_cells
from semveil.channel import Channel, OfdmChannel
from semveil.link import Answer
from semveil.rng import generator, normal

SYMBOLS, COUNT = 40, 60


def vote(channel, noise_db):
    """A repetition code: symbols of one sign and of different size, and Bob counts signs."""

    def transmit(images, source, messages):
        size = normal((len(images), SYMBOLS), generator=source).abs() + 0.1
        signs = 1 - 2 * images.flatten(1)[:, :1]
        return phy.normalise_power((size * signs) + 0j)

    def receive(reception, messages):
        votes = (reception.symbols * reception.csi.conj()).real.sign().sum(1)
        return Answer(torch.stack([votes, -votes], 1))

    labels = torch.arange(COUNT) % 2
    victim = Victim(transmit, receive, channel, noise_db, 2)
    images = labels.float().reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return victim, victim.send(images, labels, generator(0))


@pytest.mark.parametrize("channel", [Channel("awgn"), Channel("rayleigh")], ids=["awgn", "fading"])
def test_of_a_vote_it_is_the_energy_of_the_weaker_half(channel):
    """21 of 40 signs must change, and a symbol's changes once more than its own energy is there."""
    victim, sent = vote(channel, 160.0)
    attack = VulnerableSet(shares=[0.25, 21 / SYMBOLS, 1.0], precision_db=0.05)
    psr, delta = attack.smallest(victim, sent, generator(1))
    energy = sent.arrival.signal.abs().square().sort(1).values
    exact = 10 * (energy[:, :21].sum(1) / energy.sum(1)).log10()
    over = psr - exact
    assert float(over.min()) > -0.01
    assert float(over.max()) < 0.06
    answers = victim.attacked(sent, delta, psr, generator(2)).logits.argmax(1)
    assert (answers != sent.labels).float().mean() > 0.95
    # Turned around as a whole the signal has to spend all of its energy.
    whole, _ = VulnerableSet(shares=[1.0], precision_db=0.05).smallest(victim, sent, generator(1))
    assert whole.tolist() == pytest.approx([0.0] * COUNT, abs=0.06)


def test_cells_are_what_bob_reads_and_go_back_into_the_frame():
    channel = OfdmChannel(csi="estimated", subcarriers=16, prefix=8, taps=4)
    waveform = normal((5, 48), dtype=torch.complex64, generator=generator(0))
    arrival = channel.arrive(waveform, generator(1))
    found = cells(arrival.signal, channel)
    h = phy.frequency_response(arrival.fading, 16).repeat(1, 3)
    assert torch.allclose(found, h * waveform, atol=1e-5)
    back = from_cells(found, channel, arrival.signal.shape[1])
    assert torch.allclose(cells(back, channel), found, atol=1e-5)
    assert float(cells(arrival.signal - back, channel).abs().max()) < 1e-5
    assert (back[:, : channel.overhead] == 0).all()


def test_a_link_with_hard_decisions_has_a_least_power_and_no_gradient_is_asked_for():
    victim, sent = vote(Channel("rayleigh"), 15.0)
    psr, _ = VulnerableSet().smallest(victim, sent, generator(1))
    found = psr[psr.isfinite()]
    assert len(found) > 0.7 * COUNT
    assert float(found.median()) < -1.5
    noise = to_psr(
        normal(tuple(sent.arrival.signal.shape), dtype=torch.complex64, generator=generator(3)),
        sent.arrival.signal,
        0.0,
    )
    right = victim.attacked(sent, noise, psr.clamp(-60, 20), generator(4)).logits.argmax(1)
    assert (right == sent.labels)[psr.isfinite()].float().mean() > 0.8
    assert VulnerableSet.needs_gradient is False
    assert MinimumPower.needs_gradient is True
