"""All registered attacks: exact budgets, threat models, determinism, orderings."""

from itertools import pairwise

import pytest
import torch

from semveil import phy
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Goal
from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.channel import Channel, OfdmChannel
from semveil.errors import SemveilError
from semveil.metrics import wilson
from semveil.recipe import AttackConfig, HardenConfig
from semveil.rng import generator
from semveil.training import TRAININGS

from .targets import clearly_stronger, found, incoming_of, never_weaker, right, target

QUICK = {"steps": 2, "restarts": 1, "queries": 4, "epochs": 2}
THOROUGH = {"steps": 10, "restarts": 1, "queries": 60, "epochs": 5, "lr": 5e-3}
BUDGETS = [-14.0, -10.0, -6.0, -2.0, 10.0]
NAMES = ATTACKS.names()
MINE = ["jamming", "fgm", "pgd", "apgd", "uap", "relay", "blackbox", "transfer"]


def build(name, settings=QUICK, batch=64):
    """Return an attack with those of some settings that it has."""
    kind = ATTACKS.get(name)
    known = {key: settings[key] for key in settings.keys() & kind.Config.model_fields.keys()}
    return kind(**known).towards(Goal(batch=batch))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "attacker_channel", [AttackerChannel(), AttackerChannel("multipath", timing=2, phase=True)]
)
def test_psr_is_met_exactly_at_bobs_antenna_for_every_image(victim, name, attacker_channel):
    bob = target(victim, Channel("rayleigh"), attacker_channel=attacker_channel)
    incoming = incoming_of(victim, bob, count=20)
    budgets = [-9.0, 3.0]
    deltas = found(build(name), victim, bob, incoming, budgets)
    assert deltas.shape == (2, *incoming.arrival.signal.shape)
    for delta, psr_db in zip(deltas, budgets, strict=True):
        arrived = bob.arriving(delta, incoming, psr_db, generator(1))
        measured = phy.psr_db(arrived, incoming.arrival.signal)
        assert measured.tolist() == pytest.approx([psr_db] * 20, abs=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_depends_on_the_signal_where_it_states_so(victim, name):
    bob = target(victim)
    attack = build(name)
    one, other = (incoming_of(victim, bob, part, 20) for part in ("test", "validation"))
    first = found(attack, victim, bob, one, [-3.0])[0]
    second = attack.craft(bob, other, [-3.0], generator(0, "craft"))[0]
    same = torch.allclose(
        to_psr(first, one.arrival.signal, 0.0), to_psr(second, other.arrival.signal, 0.0), atol=1e-5
    )
    assert same is not attack.per_input


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_crafts_the_same(victim, name):
    bob = target(victim)
    incoming = incoming_of(victim, bob, count=10)
    first, again = (found(build(name), victim, bob, incoming, [-3.0]) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_states_what_it_is_and_its_settings_have_defaults(name):
    kind = ATTACKS.get(name)
    assert kind.name == name
    assert kind.description.splitlines() == [kind.description]
    assert kind.source
    assert kind.Config.section == f"attack.{name}"
    assert kind().config == kind.Config() == kind(**kind.Config().model_dump()).config
    with pytest.raises(SemveilError, match=f"unknown key '{name}.stepss'"):
        kind(stepss=3)


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_given_to_an_evaluation_stays_as_it_is(victim, name):
    bob = target(victim)
    attack = build(name)
    before = dict(vars(attack))
    found(attack.towards(Goal(batch=32)), victim, bob, incoming_of(victim, bob, count=4), [-3.0])
    assert vars(attack) == before


@pytest.fixture(scope="module")
def strength(victim):
    """How often Bob is right about each image, by attack and budget."""
    bob = target(victim)
    incoming = incoming_of(victim, bob)
    crafted = {
        name: found(build(name, THOROUGH, 100), victim, bob, incoming, BUDGETS) for name in MINE
    }
    return {
        (name, psr_db): right(bob, incoming, delta, psr_db)
        for name, deltas in crafted.items()
        for psr_db, delta in zip(BUDGETS, deltas, strict=True)
    }


@pytest.mark.parametrize("name", MINE)
def test_more_budget_is_never_weaker(strength, name):
    for less, more in pairwise(BUDGETS):
        assert never_weaker(strength[name, less], strength[name, more])
    assert clearly_stronger(strength[name, BUDGETS[0]], strength[name, BUDGETS[-1]])


def test_at_the_lowest_default_budgets_something_survives(victim):
    """Where PGD leaves nothing at any budget, links cannot be ranked."""
    bob = target(victim)
    incoming = incoming_of(victim, bob, count=200)
    budgets = sorted(AttackConfig().psr_db)
    (gentle, *_, fierce) = found(build("pgd", THOROUGH), victim, bob, incoming, budgets)
    clean = right(bob, incoming, torch.zeros_like(gentle), budgets[0])
    assert float(right(bob, incoming, gentle, budgets[0]).mean()) > 0.95 * float(clean.mean())
    assert float(right(bob, incoming, fierce, budgets[-1]).mean()) < 0.2


def test_adversarial_training_against_pgd_has_answers_left_to_learn_from(victim):
    bob = target(victim)
    incoming = incoming_of(victim, bob, count=200)
    # The middle of the budgets in training, which are uniform below the highest.
    below = HardenConfig().span_db / 2
    own, others = (TRAININGS.get(name).psr_db - below for name in ("at-pgd", "semmixed"))
    rates = [
        float(right(bob, incoming, delta, psr_db).mean())
        for delta, psr_db in zip(
            found(build("pgd", THOROUGH), victim, bob, incoming, [own, others]),
            (own, others),
            strict=True,
        )
    ]
    assert rates[0] > 0.5 > 0.2 > rates[1]


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("fgm", "pgd"),
        ("fgm", "apgd"),
        ("transfer", "pgd"),
        ("blackbox", "pgd"),
        ("uap", "pgd"),
        ("relay", "pgd"),
        ("jamming", "uap"),
        ("jamming", "relay"),
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
    incoming = incoming_of(victim, bob)
    noise = jamming(incoming.arrival.signal, 40.0, generator=generator(1))
    n = len(noise)
    assert float(right(bob, incoming, noise, 40.0).mean()) <= wilson(n // 10, n).high


def test_the_control_has_exactly_the_energy_of_what_it_stands_beside(victim):
    bob = target(victim, Channel("rayleigh"))
    incoming = incoming_of(victim, bob, count=50)
    energies = [
        bob.arriving(found(build(name), victim, bob, incoming, [-6.0])[0], incoming, -6.0)
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
    incoming = incoming_of(victim, bob, count=50)
    noise = jamming(incoming.arrival.signal, 10.0, generator=generator(2))
    where = torch.arange(noise.shape[1])
    # The last path's echo of the pilots reaches into what follows them.
    after = channel.overhead + 8

    def heard(delta):
        return channel.hear(incoming.arrival, 30.0, generator=generator(3), injected=delta)

    clean, on_pilots = heard(None), heard(noise * (where < channel.overhead))
    assert torch.equal(on_pilots.symbols, clean.symbols)
    assert float((on_pilots.csi - clean.csi).abs().min()) > 0
    answers = [bob.receive(reception, incoming.messages).logits for reception in (clean, on_pilots)]
    assert float((answers[1] - answers[0]).abs().max(1).values.min()) > 1e-3
    assert (answers[1].argmax(1) != answers[0].argmax(1)).float().mean() > 0.1
    on_data = heard(noise * (where >= after))
    assert torch.equal(on_data.csi, clean.csi)
    assert not torch.equal(on_data.symbols, clean.symbols)
