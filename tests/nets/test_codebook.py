"""The codebook: which codeword is chosen, how often, with what slope, and what it tells."""

from __future__ import annotations

import math

import pytest
import torch

from semveil.nets.codebook import Choice, Codebook
from semveil.rng import generator, normal, seeded


def book(size, dim, rule):
    with seeded(0, "codebook"):
        return Codebook(size, dim, rule)


def tokens(*shape):
    return normal(shape, generator=generator(0, "tokens"))


def test_nearest_is_the_least_distance_of_all():
    codes = book(32, 16, "nearest")
    given = tokens(50, 8, 16)
    wanted = torch.cdist(given, codes.words.detach().expand(50, -1, -1)).argmin(2)
    assert torch.equal(codes(given).index, wanted)


def test_gumbel_takes_the_largest_inner_product_once_training_is_over():
    codes = book(32, 16, "gumbel").eval()
    given = tokens(50, 8, 16)
    assert torch.equal(codes(given).index, (given @ codes.words.T).argmax(2))


def test_gumbel_draws_codewords_as_often_as_the_softmax_says():
    codes, draws = book(5, 4, "gumbel"), 40_000
    given = tokens(1, 1, 4)
    expected = (given[0, 0] @ codes.words.T / 4**0.5).softmax(0)
    choice = codes(given.expand(draws, 1, 4), generator(1))
    found = torch.bincount(choice.index.flatten(), minlength=5) / draws
    # 99 % for all five together (Bonferroni): two-sided 0.2 % each.
    assert torch.all((found - expected).abs() < 3.09 * (expected * (1 - expected) / draws).sqrt())
    assert float(expected.min().detach()) > 0.01
    assert torch.allclose(choice.probabilities, expected.expand(draws, 1, 5), atol=1e-6)


def test_draws_come_from_the_generator_alone():
    codes, given = book(8, 4, "gumbel"), tokens(64, 4, 4)
    one, same, other = (codes(given, generator(seed)).index for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("rule", ["gumbel", "nearest"])
def test_what_is_sent_is_one_hot_and_slopes_like_the_probabilities(rule):
    codes = book(8, 4, rule).eval()
    given = tokens(3, 5, 4).requires_grad_()
    choice = codes(given)
    onehot = torch.nn.functional.one_hot(choice.index, 8).float()
    assert torch.allclose(choice.sent, onehot, atol=1e-6)
    direction = normal((3, 5, 8), generator=generator(2))
    ours, theirs = (
        torch.autograd.grad((value * direction).sum(), given, retain_graph=True)[0]
        for value in (choice.sent, choice.probabilities)
    )
    assert float(theirs.abs().max()) > 1e-3
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_slope_in_training_is_that_of_the_relaxed_draw():
    codes = book(6, 4, "gumbel")
    given = tokens(10, 3, 4).requires_grad_()
    direction = normal((10, 3, 6), generator=generator(3))
    ours = torch.autograd.grad((codes(given, generator(4)).sent * direction).sum(), given)[0]
    u = torch.rand(10, 3, 6, generator=generator(4))
    scores = given @ codes.words.T / 2
    relaxed = ((scores - torch.log(-torch.log(u))) / 0.5).softmax(2)
    theirs = torch.autograd.grad((relaxed * direction).sum(), given)[0]
    assert torch.allclose(ours, theirs, atol=1e-5)


def choice_of(probabilities):
    index = probabilities.argmax(2)
    return Choice(index, torch.nn.functional.one_hot(index, probabilities.shape[2]), probabilities)


def test_an_encoder_that_says_the_same_of_all_images_tells_nothing():
    same = tokens(1, 6, 8).softmax(2).expand(20, -1, -1)
    assert float(choice_of(same).information()) == pytest.approx(0.0, abs=1e-5)


def test_sure_and_evenly_used_codewords_tell_all_that_they_can():
    every = torch.cartesian_prod(torch.arange(4), torch.arange(4))
    sure = torch.nn.functional.one_hot(every, 4).float()
    choice = choice_of(sure)
    assert float(choice.information()) == pytest.approx(2 * math.log(4), rel=1e-5)
    assert float(choice.entropy()) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("flip", [0.0, 0.11, 0.3, 0.5])
def test_a_binary_symmetric_encoder_tells_its_capacity(flip):
    two = torch.tensor([[[1 - flip, flip]], [[flip, 1 - flip]]])
    entropy = -sum(p * math.log(p) for p in (flip, 1 - flip) if p)
    assert float(choice_of(two).information()) == pytest.approx(math.log(2) - entropy, abs=1e-6)
    assert float(choice_of(two).entropy()) == pytest.approx(entropy, abs=1e-6)


def test_information_is_never_negative_and_never_above_its_ceiling():
    for seed in range(20):
        scores = 10 * normal((30, 5, 7), generator=generator(seed))
        told = float(choice_of(scores.softmax(2)).information())
        assert -1e-5 <= told <= 5 * math.log(7)


def test_information_of_sure_codewords_has_a_finite_slope():
    scores = torch.tensor([[[200.0, 0.0]], [[0.0, 200.0]]], requires_grad=True)
    choice_of(scores.softmax(2)).information().backward()
    assert torch.isfinite(scores.grad).all()
