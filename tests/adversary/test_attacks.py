"""Every attack: its budget met exactly, nothing looked at that it may not see, the orderings."""

from itertools import pairwise

import pytest
import torch

from semveil import phy
from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.perturb.registry import ATTACKS, build
from semveil.channel import Channel, OfdmChannel
from semveil.metrics import wilson
from semveil.recipe import AttackConfig as Settings
from semveil.rng import generator

from .targets import clearly_stronger, found, never_weaker, right, scene_of, target

QUICK = Settings(steps=2, restarts=1, queries=4, epochs=2, batch=64)
THOROUGH = Settings(steps=10, restarts=1, queries=60, epochs=5, lr=5e-3, batch=100)
BUDGETS = [-14.0, -10.0, -6.0, -2.0, 10.0]
MINE = ["jamming", "fgm", "pgd", "uap", "blackbox", "transfer"]


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    "path", [AttackerChannel(), AttackerChannel("multipath", timing=2, phase=True)]
)
def test_psr_is_met_exactly_at_bobs_antenna_for_every_image(victim, name, path):
    bob = target(victim, Channel("rayleigh"), path=path)
    scene = scene_of(victim, bob, count=20)
    budgets = [-9.0, 3.0]
    deltas = found(build(name, QUICK), victim, bob, scene, budgets)
    assert deltas.shape == (2, *scene.arrival.signal.shape)
    for delta, psr_db in zip(deltas, budgets, strict=True):
        arrived = bob.arriving(delta, scene, psr_db, generator(1))
        measured = phy.psr_db(arrived, scene.arrival.signal)
        assert measured.tolist() == pytest.approx([psr_db] * 20, abs=1e-4)


@pytest.mark.parametrize("name", ATTACKS)
def test_who_may_not_look_at_the_signal_sends_the_same_whatever_it_is(victim, name):
    bob = target(victim)
    attack = build(name, QUICK)
    one, other = (scene_of(victim, bob, part, 20) for part in ("test", "validation"))
    first = found(attack, victim, bob, one, [-3.0])[0]
    second = attack.craft(bob, other, [-3.0], generator(0, "craft"))[0]
    same = torch.allclose(
        to_psr(first, one.arrival.signal, 0.0), to_psr(second, other.arrival.signal, 0.0), atol=1e-5
    )
    assert same is not attack.per_input


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_seed_crafts_the_same(victim, name):
    bob = target(victim)
    scene = scene_of(victim, bob, count=10)
    first, again = (found(build(name, QUICK), victim, bob, scene, [-3.0]) for _ in range(2))
    assert torch.equal(first, again)


@pytest.fixture(scope="module")
def strength(victim):
    """How often Bob is right about each image, by attack and budget."""
    bob = target(victim)
    scene = scene_of(victim, bob)
    crafted = {name: found(build(name, THOROUGH), victim, bob, scene, BUDGETS) for name in MINE}
    return {
        (name, psr_db): right(bob, scene, delta, psr_db)
        for name, deltas in crafted.items()
        for psr_db, delta in zip(BUDGETS, deltas, strict=True)
    }


@pytest.mark.parametrize("name", MINE)
def test_more_budget_is_never_weaker(strength, name):
    for less, more in pairwise(BUDGETS):
        assert never_weaker(strength[name, less], strength[name, more])
    assert clearly_stronger(strength[name, BUDGETS[0]], strength[name, BUDGETS[-1]])


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("fgm", "pgd"),
        ("transfer", "pgd"),
        ("blackbox", "pgd"),
        ("uap", "pgd"),
        ("jamming", "uap"),
        ("jamming", "transfer"),
        ("jamming", "blackbox"),
    ],
)
def test_what_knows_more_is_stronger(strength, weaker, stronger):
    assert clearly_stronger(strength[weaker, -6.0], strength[stronger, -6.0])
    for psr_db in BUDGETS[:-1]:
        assert never_weaker(strength[weaker, psr_db], strength[stronger, psr_db])


@pytest.mark.parametrize("name", [name for name in MINE if name != "jamming"])
def test_at_ten_decibels_above_the_signal_bob_is_down_to_chance(strength, name):
    n = len(strength[name, 10.0])
    assert float(strength[name, 10.0].mean()) <= wilson(n // 10, n).high


def test_noise_drowns_bob_at_a_large_enough_budget(victim):
    bob = target(victim)
    scene = scene_of(victim, bob)
    noise = jamming(scene.arrival.signal, 40.0, generator=generator(1))
    n = len(noise)
    assert float(right(bob, scene, noise, 40.0).mean()) <= wilson(n // 10, n).high


def test_the_control_has_exactly_the_energy_of_what_it_stands_beside(victim):
    bob = target(victim, Channel("rayleigh"))
    scene = scene_of(victim, bob, count=50)
    energies = [
        bob.arriving(found(build(name, QUICK), victim, bob, scene, [-6.0])[0], scene, -6.0)
        .abs()
        .square()
        .sum(1)
        for name in ("jamming", "pgd")
    ]
    assert torch.allclose(*energies, rtol=1e-5)


@pytest.mark.parametrize(
    "channel",
    [
        Channel("rayleigh", "estimated", pilots=4),
        OfdmChannel(csi="estimated", subcarriers=16, prefix=8, taps=4),
    ],
    ids=lambda channel: channel.name,
)
def test_a_perturbation_of_the_pilots_alone_moves_the_estimate_and_the_answer(victim, channel):
    bob = target(victim, channel, snr_db=30.0)
    scene = scene_of(victim, bob, count=50)
    noise = jamming(scene.arrival.signal, 10.0, generator=generator(2))
    where = torch.arange(noise.shape[1])
    # The last path's echo of the pilots reaches into what follows them.
    after = channel.overhead + 8

    def heard(delta):
        return channel.hear(scene.arrival, 30.0, generator=generator(3), injected=delta)

    clean, on_pilots = heard(None), heard(noise * (where < channel.overhead))
    assert torch.equal(on_pilots.symbols, clean.symbols)
    assert float((on_pilots.csi - clean.csi).abs().min()) > 0
    answers = [bob.receive(reception, scene.messages).logits for reception in (clean, on_pilots)]
    assert float((answers[1] - answers[0]).abs().max(1).values.min()) > 1e-3
    assert (answers[1].argmax(1) != answers[0].argmax(1)).float().mean() > 0.1
    on_data = heard(noise * (where >= after))
    assert torch.equal(on_data.csi, clean.csi)
    assert not torch.equal(on_data.symbols, clean.symbols)
