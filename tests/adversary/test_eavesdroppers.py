"""Every attack succeeds on a link that nothing protects, and fails where it must."""

import pytest
import torch

from semveil.adversary.eavesdrop.fit import INFERENCE, INVERSION, fit_eavesdropper, listen
from semveil.adversary.eavesdrop.known_plaintext import estimate_order, undo
from semveil.adversary.eavesdrop.observations import numbered
from semveil.adversary.eavesdrop.perceptual import (
    PerceptualLoss,
    fit_judge,
    perceptual_inversion,
    recognised,
)
from semveil.adversary.eavesdrop.rmle import rmle
from semveil.adversary.eavesdrop.shadow import fit_shadow
from semveil.adversary.eavesdrop.trainer import Effort
from semveil.link import as_float
from semveil.rng import generator

from .conftest import fresh_link

EFFORT = Effort(60, 15)


@pytest.fixture(scope="module")
def judge(victim):
    return fit_judge(victim.hear("adversary"), victim.hear("validation"), 10, EFFORT, seed=0)


@pytest.fixture(scope="module")
def inverter(victim):
    return fit_eavesdropper(
        INVERSION, "deconv", victim.hear("adversary"), victim.hear("validation"), [10.0], 10,
        EFFORT, seed=0,
    )  # fmt: skip


def test_the_judge_knows_digits_and_noise_from_digits(victim, judge):
    test = victim.hear("test")
    originals = as_float(test.images)
    assert float(recognised(judge, originals, test.labels).float().mean()) > 0.85
    grey = torch.full_like(originals, 0.5)
    assert float(recognised(judge, grey, test.labels).float().mean()) < 0.2


def test_an_inverter_rebuilds_what_the_judge_recognises(victim, judge, inverter):
    test = victim.hear("test")
    images = listen(inverter, test, 10.0, generator(1))
    assert victim.quality(images) > victim.floor_db + 2
    assert float(recognised(judge, images, test.labels).float().mean()) > 0.5


def test_a_perceptual_inverter_is_nearer_in_the_judges_eyes(victim, judge, inverter):
    loss = PerceptualLoss(judge.features)
    goal = perceptual_inversion(loss)
    network = fit_eavesdropper(
        goal, "deconv", victim.hear("adversary"), victim.hear("validation"), [10.0], 10,
        EFFORT, seed=0,
    )  # fmt: skip
    test = victim.hear("test")
    originals = as_float(test.images)
    perceived = {
        name: float(loss(listen(eve, test, 10.0, generator(1)), originals))
        for name, eve in (("mse", inverter), ("perceptual", network))
    }
    assert perceived["perceptual"] < perceived["mse"]
    assert victim.quality(listen(network, test, 10.0, generator(1))) > victim.floor_db + 1


def test_maximum_likelihood_rebuilds_images(victim):
    test = victim.hear("test")
    reception = test.receive(torch.arange(48), 20.0, generator(2))
    known = as_float(victim.hear("adversary").images)
    images = rmle(reception, victim.link.transmit, known)
    assert victim.quality(images) > victim.floor_db + 2


def shuffled(victim, fixed):
    """Return the victim's transmitter with a permutation of its reals, and the fixed one."""
    order = torch.randperm(32, generator=generator(3))

    def send(images, source, messages):
        reals = torch.view_as_real(victim.link.transmit(images)).flatten(1)
        if fixed:
            reals = reals[:, order]
        else:
            # A permutation of its own for every message.
            keys = torch.rand(reals.shape, generator=generator(4, int(messages[0])))
            reals = reals.gather(1, keys.argsort(1))
        return torch.view_as_complex(reals.unflatten(1, (-1, 2)).contiguous())

    return send, order


def reals(images, link):
    return torch.view_as_real(link.transmit(images)).flatten(1)


@pytest.mark.parametrize("fixed", [True, False])
def test_known_plaintext_breaks_a_fixed_permutation_alone(victim, inverter, fixed):
    send, order = shuffled(victim, fixed)
    heard, test = victim.hear("adversary", send), victim.hear("test", send)
    sent = reals(as_float(heard.images), victim.link)
    shares = []
    for pairs in (8, 64, 256):
        rows = torch.arange(pairs)
        observed = heard.hear(rows, 10.0, generator(5))[:, :-1]
        shares.append(float((estimate_order(sent[rows], observed) == order).float().mean()))
    found = estimate_order(sent[rows], observed)
    features = test.hear(torch.arange(len(test)), 10.0, generator(6))
    before, after = (victim.quality(inverter(seen)) for seen in (features, undo(features, found)))
    if fixed:
        assert shares[0] < shares[-1]
        assert shares[-1] > 0.9
        assert after > victim.floor_db + 2 > before + 2
    else:
        # One in 32 is right by chance; five of them would be a rare accident.
        assert shares[-1] < 5 / 32
        assert after < victim.floor_db


def test_sorted_likelihood_survives_a_permutation_and_the_plain_one_does_not(victim):
    send, _ = shuffled(victim, fixed=False)
    reception = victim.hear("test", send).receive(torch.arange(48), 25.0, generator(7))
    known = as_float(victim.hear("adversary").images)
    plain, blind = (
        victim.quality(rmle(reception, victim.link.transmit, known, invariant=invariant))
        for invariant in (False, True)
    )
    assert blind > plain


def test_a_shadow_speaks_enough_like_alice_to_be_inverted_for_her(victim):
    shadow = fresh_link(9)
    training, validation = victim.hear("adversary"), victim.hear("validation")
    before = [weight.clone() for weight in victim.link.parameters()]
    fit_shadow(
        shadow, victim.receive, training, validation, victim.channel, 10.0, Effort(60, 60), seed=0
    )
    assert all(torch.equal(a, b) for a, b in zip(before, victim.link.parameters(), strict=True))
    send = numbered(lambda images, source: shadow.transmit(images))
    inverter = fit_eavesdropper(
        INVERSION, "deconv", victim.hear("adversary", send), victim.hear("validation", send),
        [10.0], 10, EFFORT, seed=0,
    )  # fmt: skip
    images = listen(inverter, victim.hear("test"), 10.0, generator(8))
    assert victim.quality(images) > victim.floor_db + 1


def test_sorted_values_leak_to_a_network_that_is_blind_to_order(victim):
    """A fresh permutation per message: the label is still guessed better than by chance."""
    send, _ = shuffled(victim, fixed=False)
    training, validation, test = (
        victim.hear(part, send) for part in ("adversary", "validation", "test")
    )
    hits = {}
    for capacity in ("mlp", "set"):
        eve = fit_eavesdropper(
            INFERENCE, capacity, training, validation, [20.0], 10, Effort(40, 8), seed=0
        )
        guesses = listen(eve, test, 20.0, generator(9)).argmax(1)
        hits[capacity] = float((guesses == test.labels).float().mean())
    # 359 images: three standard deviations of guessing are 0.05.
    assert hits["set"] > 0.1 + 0.1
    assert hits["set"] > hits["mlp"] + 0.05
