"""The certified radius: against a closed form, against an attack, and what it must not claim."""

import math
from dataclasses import replace

import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import binom, norm

from semveil.adversary.perturb.attack import Goal, misclassify
from semveil.adversary.perturb.certify import (
    Certificate,
    certify,
    count_votes,
    lower_bound,
    majority,
)
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.iterative import expected
from semveil.adversary.perturb.psr import to_psr
from semveil.adversary.perturb.victim import Victim
from semveil.channel import Channel, OfdmChannel
from semveil.link import Answer
from semveil.rng import generator, normal

from .targets import AWGN, incoming_of, target

CONFIDENCE = 0.999


def half_space(snr_db, count=200):
    """Bob answers by which side of a plane he receives: the vote's radius is the distance to it."""
    normal_vector = normal((8,), dtype=torch.complex64, generator=generator(4))
    normal_vector = normal_vector / normal_vector.norm()

    def distance(symbols):
        return (symbols * normal_vector.conj()).real.sum(1) - 0.3

    def receive(reception, messages):
        side = distance(reception.symbols)
        return Answer(torch.stack([side, -side], 1))

    bob = Victim(lambda images, source, _: images, receive, AWGN, snr_db, 2)
    sent = 0.2 * normal((count, 8), dtype=torch.complex64, generator=generator(5))
    far = distance(sent)
    return bob, bob.send(sent, (far < 0).long()), far.abs()


def test_a_plane_is_certified_to_just_below_the_distance_from_it():
    bob, incoming, truth = half_space(snr_db=8.0)
    found = certify(bob, incoming, generator(1), votes=8000, confidence=CONFIDENCE)
    certified = found.radius > 0
    assert certified.float().mean() > 0.85
    # One certificate in a thousand may be wrong; four of 200 would be with probability 4e-5.
    assert int((found.radius > truth).sum()) <= binom.ppf(1 - 1e-4, 200, 1 - CONFIDENCE)
    # What 8000 votes leave open: three standard errors of the estimated quantile, twice.
    near = certified & (truth < 2 * (10**-0.8 / 2) ** 0.5)
    deviation = (10**-0.8 / 2) ** 0.5
    assert near.sum() > 100
    assert float((truth - found.radius)[near].max()) < 0.25 * deviation
    assert float((truth - found.radius)[near].mean()) < 0.14 * deviation


def test_more_votes_certify_more_and_never_more_than_they_can():
    bob, incoming, _ = half_space(snr_db=8.0)
    few, many = (certify(bob, incoming, generator(1), votes=n).radius for n in (100, 4000))
    assert float(many.mean()) > float(few.mean())
    deviation = (10**-0.8 / 2) ** 0.5
    error = (1 - CONFIDENCE) / 2
    needed = binomial_root(100, error)
    most = (norm.ppf(error**0.01) - norm.ppf(needed)) * deviation
    assert float(few.max()) == pytest.approx(most, rel=1e-4)


def binomial_root(votes, error):
    """Return the probability of being right for which a majority is wrong with ``error``."""
    return brentq(lambda p: binom.cdf(votes // 2, votes, p) - error, 0.5, 1 - 1e-12)


@pytest.mark.parametrize("votes", [1, 2, 99, 100, 1000])
def test_the_share_that_a_majority_needs_is_the_binomial_one(votes):
    for confidence in (0.9, 0.9995):
        needed = majority(votes, confidence)
        assert binom.cdf(votes // 2, votes, needed) == pytest.approx(1 - confidence, rel=1e-6)
        if votes >= 99:
            z = norm.ppf(confidence)
            assert needed == pytest.approx(0.5 + z / (2 * votes**0.5), abs=1.5 / votes)


@pytest.mark.parametrize("distance", [0.7, 1.0, 1.6])
def test_an_attacked_vote_at_the_radius_is_wrong_as_rarely_as_stated(distance):
    """Images at one distance from the plane, each moved towards it by its whole radius.

    With the radius of infinitely many votes, too many are wrong at the smallest distance.
    """
    confidence, votes, count = 0.95, 101, 3000
    bob = half_space(snr_db=8.0, count=1)[0]
    deviation = (10**-0.8 / 2) ** 0.5
    vector = normal((8,), dtype=torch.complex64, generator=generator(4))
    vector = vector / vector.norm()
    sent = (0.3 + distance * deviation) * vector.expand(count, 8)
    incoming = bob.send(sent, torch.zeros(count, dtype=torch.long))
    found = certify(bob, incoming, generator(1), votes, confidence=confidence)
    held = found.radius > 0
    towards = -found.radius.unsqueeze(1) * vector
    counts = count_votes(bob, incoming, votes, generator(2), towards)
    wrong = int((held & (counts.argmax(1) != 0)).sum())
    # At 99.9 % confidence; certified or not, as the probability is over both votes.
    assert wrong <= binom.ppf(0.999, count, 1 - confidence)
    assert held.float().mean() > 0.3
    # The attack is the worst one: it does break votes.
    assert wrong > 0


def test_the_radius_as_psr_is_its_square_over_the_signals_energy():
    bob, incoming, _ = half_space(snr_db=8.0, count=20)
    found = certify(bob, incoming, generator(1))
    held = found.radius > 0
    direction = torch.ones_like(incoming.arrival.signal)
    norms = to_psr(direction, incoming.arrival.signal, found.psr_db).norm(dim=1)
    assert torch.allclose(norms[held], found.radius[held], rtol=1e-4)
    assert (found.psr_db[~held] == -math.inf).all()
    assert found.transmissions == 1100


def test_a_wrong_answer_has_no_radius_and_a_close_vote_no_answer():
    bob, incoming, truth = half_space(snr_db=-30.0)
    found = certify(bob, incoming, generator(1), votes=200)
    # Noise decides: the bound of nearly every vote is below one half.
    assert (found.answers == -1).float().mean() > 0.9
    bob, incoming, truth = half_space(snr_db=8.0)
    swapped = replace(incoming, labels=1 - incoming.labels)
    found = certify(bob, swapped, generator(1), votes=200)
    assert float(found.radius[truth > 0.3].max()) == 0
    assert (found.answers >= 0).float().mean() > 0.5
    assert found.accuracy(-math.inf).value < 0.05


def test_accuracy_falls_with_the_budget_and_counts_every_image():
    some = Certificate(
        answers=torch.tensor([1, 1, -1, 0]),
        right=torch.tensor([True, True, False, False]),
        radius=torch.tensor([2.0, 1.0, 0.0, 0.0]),
        psr_db=torch.tensor([-20.0, -26.0, -math.inf, -math.inf]),
        transmissions=10,
    )
    assert [some.accuracy(psr).value for psr in (-math.inf, -30.0, -23.0, -20.0)] == [
        0.5,
        0.5,
        0.25,
        0.0,
    ]
    assert some.accuracy(-30.0).n == 4


def test_the_bound_covers_the_truth_as_often_as_it_says():
    votes, p = 50, 0.9
    hits = torch.arange(votes + 1)
    weights = torch.as_tensor(binom.pmf(hits.numpy(), votes, p))
    for confidence in (0.9, 0.999):
        bounds = lower_bound(hits, votes, confidence)
        assert float(weights[bounds <= p].sum()) >= confidence
        # And it is the exact one: of the last hit count that is covered, the tail is what it says.
        assert binom.sf(39, votes, float(bounds[40])) == pytest.approx(1 - confidence, rel=1e-6)


@pytest.mark.parametrize(
    "channel",
    [
        Channel("rayleigh"),
        Channel("rayleigh", "estimated"),
        OfdmChannel(csi="estimated", subcarriers=16, prefix=8, taps=4),
    ],
    ids=lambda channel: channel.name,
)
def test_no_perturbation_that_pgd_finds_at_the_certified_radius_changes_the_vote(victim, channel):
    bob = target(victim, channel, snr_db=6.0)
    incoming = incoming_of(victim, bob, count=60)
    found = certify(bob, incoming, generator(1), votes=500)
    held = found.radius > 0
    assert held.sum() > 25

    def vote(psr_db):
        mean = expected(bob, incoming, misclassify(Goal()), psr_db, 4, generator(2))
        delta = descend(incoming.arrival.signal, mean, psr_db, 10)
        counts = count_votes(bob, incoming, 500, generator(3), delta)
        return counts.gather(1, incoming.labels.unsqueeze(1)).squeeze(1)[held]

    inside = vote(torch.where(held, found.psr_db - 0.01, -60.0))
    # Each vote is right with a probability of 99.9 %; one of sixty may not be.
    assert int((inside <= 250).sum()) <= 1
    # The same attack with ten times the amplitude does change votes.
    outside = vote(torch.where(held, found.psr_db + 20.0, -60.0))
    assert int((outside < 205).sum()) > len(outside) // 4
