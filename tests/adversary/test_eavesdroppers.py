"""All eavesdroppers succeed on a link that nothing protects, and fail where they must."""

from dataclasses import replace

import pytest
import torch

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.choice import chosen, find
from semveil.adversary.eavesdrop.eavesdropper import Knowledge, Observations, listen
from semveil.adversary.eavesdrop.inference import MLPInference, SetInference
from semveil.adversary.eavesdrop.inversion import DeconvInversion
from semveil.adversary.eavesdrop.known_plaintext import estimate_order, undo
from semveil.adversary.eavesdrop.observations import numbered
from semveil.adversary.eavesdrop.perceptual import (
    PerceptualLoss,
    fit_judge,
    judged,
)
from semveil.adversary.eavesdrop.rmle import rmle
from semveil.adversary.eavesdrop.shadow import fit_shadow
from semveil.adversary.eavesdrop.trainer import Effort
from semveil.channel import OfdmChannel
from semveil.errors import SemveilError
from semveil.link import as_float
from semveil.recipe import AuditConfig
from semveil.rng import generator

from .conftest import fresh_link

EFFORT = Effort(60, 15)
NAMES = EAVESDROPPERS.names()


def observed(victim, send=None, snrs_db=(10.0,), effort=EFFORT, loss=None):
    training, validation = (victim.hear(part, send) for part in ("adversary", "validation"))
    return Observations(training, validation, snrs_db, 10, effort, 0, lambda: loss)


def fitted(eve, given):
    eve.fit(given)
    return eve


def heard(eve, test, snr_db, seed):
    """Return an eavesdropper's guesses at the test images."""
    return listen(lambda reception: eve.listen(reception, snr_db), test, snr_db, generator(seed))


@pytest.fixture(scope="module")
def judge(victim):
    return fit_judge(victim.hear("adversary"), victim.hear("validation"), 10, EFFORT, seed=0)


@pytest.fixture(scope="module")
def inverter(victim):
    return fitted(DeconvInversion(), observed(victim))


def share_right(judge, images, labels):
    return float((judged(judge, images).argmax(1) == labels).float().mean())


def test_the_judge_knows_digits_and_noise_from_digits(victim, judge):
    test = victim.hear("test")
    originals = as_float(test.images)
    assert share_right(judge, originals, test.labels) > 0.85
    grey = torch.full_like(originals, 0.5)
    assert share_right(judge, grey, test.labels) < 0.2


def test_an_inverter_rebuilds_what_the_judge_recognises(victim, judge, inverter):
    test = victim.hear("test")
    images = heard(inverter, test, 10.0, 1)
    assert victim.quality(images) > victim.floor_db + 2
    assert share_right(judge, images, test.labels) > 0.5


def test_a_perceptual_inverter_is_nearer_in_the_judges_eyes(victim, judge):
    loss = PerceptualLoss(judge.features)
    test = victim.hear("test")
    originals = as_float(test.images)
    # Before both fit the few images so closely that the loss does not matter any more.
    given = observed(victim, effort=Effort(10, 10), loss=loss)
    perceived = {
        name: float(
            loss(heard(fitted(DeconvInversion(loss=name), given), test, 10.0, 1), originals)
        )
        for name in ("mse", "perceptual")
    }
    assert perceived["perceptual"] < 0.98 * perceived["mse"]


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
    training, test = victim.hear("adversary", send), victim.hear("test", send)
    sent = reals(as_float(training.images), victim.link)
    shares = []
    for pairs in (8, 64, 256):
        rows = torch.arange(pairs)
        received = training.hear(rows, 10.0, generator(5))[:, :-1]
        shares.append(float((estimate_order(sent[rows], received) == order).float().mean()))
    found = estimate_order(sent[rows], received)
    features = test.hear(torch.arange(len(test)), 10.0, generator(6))
    before, after = (
        victim.quality(inverter.trained(seen)) for seen in (features, undo(features, found))
    )
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


@pytest.mark.slow
def test_a_shadow_speaks_enough_like_alice_to_be_inverted_for_her(victim):
    shadow = fresh_link(9)
    training, validation = victim.hear("adversary"), victim.hear("validation")
    before = [weight.clone() for weight in victim.link.parameters()]
    fit_shadow(
        shadow, victim.receive, training, validation, victim.channel, 10.0, Effort(60, 60), seed=0
    )
    assert all(torch.equal(a, b) for a, b in zip(before, victim.link.parameters(), strict=True))
    send = numbered(lambda images, source: shadow.transmit(images))
    inverter = fitted(DeconvInversion(), observed(victim, send))
    images = heard(inverter, victim.hear("test"), 10.0, 8)
    assert victim.quality(images) > victim.floor_db + 1


def test_sorted_values_leak_to_a_network_that_is_blind_to_order(victim):
    """A fresh permutation per message: the label is still guessed better than by chance."""
    send, _ = shuffled(victim, fixed=False)
    test, given = victim.hear("test", send), observed(victim, send, (20.0,), Effort(40, 8))
    ordered, unordered = (
        float((heard(fitted(eve, given), test, 20.0, 9).argmax(1) == test.labels).float().mean())
        for eve in (MLPInference(), SetInference())
    )
    # 359 images: three standard deviations of guessing are 0.05.
    assert unordered > 0.1 + 0.1
    assert unordered > ordered + 0.05


def informed(victim, given):
    """Return all that an informed eavesdropper may know of the victim, whose key permutes."""
    bob = given.training, given.validation
    return Knowledge(
        **vars(given),
        encoder=victim.link.transmit,
        architecture=fresh_link,
        receiver=victim.receive,
        bob_channel=victim.channel,
        bob_observations=bob,
        permutes=True,
        record=lambda send, purpose: tuple(
            victim.hear(part, send) for part in ("adversary", "validation")
        ),
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_eavesdropper_states_what_she_is_and_her_settings_have_defaults(name):
    kind = EAVESDROPPERS.get(name)
    assert kind.name == name
    assert kind.description.splitlines() == [kind.description]
    assert kind.source
    assert kind.target in ("label", "image")
    assert kind.Config.section == f"audit.{name}"
    assert kind().config == kind.Config() == kind(**kind.Config().model_dump()).config
    assert kind.needs <= set(Knowledge.__dataclass_fields__)
    with pytest.raises(SemveilError, match=f"unknown key '{name}.widht'"):
        kind(widht=3)


@pytest.mark.parametrize("name", NAMES)
def test_every_eavesdropper_guesses_alike_from_a_seed_and_needs_what_she_states(victim, name):
    given = observed(victim, effort=Effort(1, 1))
    kind = EAVESDROPPERS.get(name)
    quick = {"steps": 2} if "steps" in kind.Config.model_fields else {}
    if kind.needs:
        assert not kind().applies(given)
        given = informed(victim, given)
    given = replace(given, constellation=torch.tensor([1.0 + 0j, -1.0 + 0j]))
    reception = victim.hear("test").receive(torch.arange(5), 10.0, generator(3))
    guesses = []
    for _ in range(2):
        eve = kind(**quick)
        with pytest.raises(ValueError, match="before she listens"):
            eve.listen(reception, 10.0)
        assert eve.applies(given)
        # Trained anew, not taken from those who were trained already.
        guesses.append(fitted(eve, replace(given, fitted={})).listen(reception, 10.0))
    assert torch.equal(*guesses)
    assert guesses[0].shape == ((5, 10) if kind.target == "label" else (5, 1, 8, 8))


@pytest.mark.parametrize("detailed", [False, True])
def test_eves_with_and_without_details_succeed_over_ofdm(victim, detailed):
    class Own(MLPInference):
        name = "inference/own"

    Own.detailed = detailed
    over_ofdm = replace(victim, channel=OfdmChannel(subcarriers=16, prefix=8))
    eve = fitted(Own(), observed(over_ofdm))
    test = over_ofdm.hear("test")
    right = heard(eve, test, 10.0, 3).argmax(1) == test.labels
    assert float(right.float().mean()) > 0.85


def test_a_network_of_the_wrong_form_is_refused(victim):
    class Own(MLPInference):
        name = "inference/own"

        def network(self, inputs, classes, image_shape):
            return super().network(inputs, classes + 1, image_shape)

    with pytest.raises(
        SemveilError, match=r"Own\.network .*: its network returns \[2, 11\] for two"
    ):
        Own().fit(observed(victim))


def test_recipes_name_eavesdroppers_with_their_settings():
    settings = AuditConfig(
        inference=["linear", "mlp", "wide"],
        inversion=["linear", "mlp", "deconv"],
        losses=["mse", "perceptual"],
    )
    names = [eve.adversary for eve in chosen(settings)]
    assert names == [
        *(f"inference/{name}" for name in ("linear", "mlp", "wide")),
        *(f"inversion/{name}" for name in ("linear", "mlp", "deconv", "deconv+perceptual")),
    ]
    settings = AuditConfig(inference=["mlp"], inversion=["inversion/set"], attacks=["rmle"])
    assert [eve.name for eve in chosen(settings)] == [
        "inference/mlp",
        "inversion/set",
        "inversion/rmle",
    ]
    wide = AuditConfig.model_validate({"inference": ["mlp"], "inference/mlp": {"width": 8}})
    assert chosen(wide)[0].config.width == 8
    nearest = r"audit\.inference: unknown eavesdropper 'mpl': did you mean 'mlp'"
    with pytest.raises(SemveilError, match=nearest):
        find("inference", "mpl")
    with pytest.raises(SemveilError, match=r"audit\.inversion: unknown eavesdropper 'rmle'"):
        find("inversion", "rmle")
