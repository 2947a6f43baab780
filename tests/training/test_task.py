"""Task-oriented training: who moves when, how the weights rise, and what counts of Eve's error."""

from __future__ import annotations

import pytest
import torch

from semveil import recipe as recipes
from semveil.links.bottleneck import noise_per_real
from semveil.nets.eavesdropper import SimulatedEve
from semveil.recipe import Recipe
from semveil.rng import generator, seeded, uniform
from semveil.schemes import SCHEMES
from semveil.training.objective import Batch
from semveil.training.task import bounded_error

SHAPE = (1, 8, 8)


def images(count=12):
    return uniform((count, *SHAPE), generator=generator(0, "images"))


def objective(scheme="ibal", **changes):
    recipe = recipes.update(
        Recipe(),
        {
            "scheme": scheme,
            "link": {"latent_dim": 8, "width": 4, "head_width": 8},
            "bob": {"fading": "awgn"},
            "train": {"epochs": 10},
            **changes,
        },
    )
    with seeded(0, "weights"):
        chosen = SCHEMES.get(scheme)(recipe)
        link = chosen.build(SHAPE, 10)
        eve = SimulatedEve("linear", 9, 10, SHAPE)
    return chosen.objective(link, eve)


def batch():
    return Batch(images(), torch.arange(12) % 10)


def losses_of(game, name):
    """Play the turns at the end of training until the named player's."""
    for turn in game.turns(396, 40):
        losses = turn.loss(batch(), generator(1))
        if turn.player == name:
            return losses
    raise AssertionError(name)


def test_eves_error_counts_in_full_until_it_is_the_mean_images():
    given = images()
    mean = given.mean(0, keepdim=True)
    ceiling = (given - mean).square().mean((1, 2, 3))
    better = given + 0.5 * (mean - given)
    assert torch.allclose(bounded_error(better, given), 0.25 * ceiling)
    assert torch.allclose(bounded_error(mean.expand_as(given), given), ceiling)
    assert torch.allclose(bounded_error(1 - given, given * 0 + 1), torch.zeros(12))


def test_driving_one_network_astray_earns_nothing():
    given = images()
    astray = (given + 2).requires_grad_()
    bounded_error(astray, given).sum().backward()
    assert torch.equal(astray.grad, torch.zeros_like(astray))
    close = (given + 0.01).requires_grad_()
    bounded_error(close, given).sum().backward()
    assert float(close.grad.abs().min()) > 0


def test_eve_moves_after_alice_and_bob_and_rarely_where_she_has_no_say():
    with_say = objective("ibal", inverter={"weight": 2.0})
    assert [turn.player for turn in with_say.turns(3, 40)] == ["link", "eve_image"]
    without = objective("vfe")
    players = [[turn.player for turn in without.turns(step, 40)] for step in range(8)]
    assert players == ([["link", "eve_image"]] + [["link"]] * 3) * 2


def test_the_bottleneck_comes_in_between_the_stated_shares_of_the_epochs():
    game = objective("vfe", bottleneck={"free_epochs": 0.1, "full_epochs": 0.3})
    shares = []
    for step in (0, 40, 60, 80, 100, 120, 121, 399):
        game.turns(step, 40)
        shares.append(game.share)
    assert shares == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1, 1, 1])


@pytest.mark.parametrize("at", [0.0, 0.5])
def test_a_bottleneck_without_a_rise_is_switched_on(at):
    game = objective("vfe", bottleneck={"free_epochs": at, "full_epochs": at})
    game.turns(int(400 * at) - 1 if at else 0, 40)
    assert game.share == 0
    game.turns(int(400 * at) + 1, 40)
    assert game.share == 1


@pytest.mark.parametrize("scheme", ["deepjscc", "dp", "cipher", "vfe", "ibal", "lbvq", "uis"])
def test_the_total_is_the_sum_of_its_parts(scheme):
    game = objective(
        scheme,
        bottleneck={"weight": 0.3},
        inverter={"weight": 2.0},
        cipher={"weight": 3.0, "plain_weight": 0.7, "key_weight": 0.4},
    )
    found = {name: float(value.detach()) for name, value in losses_of(game, "link").items()}
    bottleneck = 0.3 if scheme in ("vfe", "ibal", "uis") else 0.0
    inverter = {"ibal": 2.0, "uis": 2.0, "cipher": 3.0}.get(scheme, 0.0)
    assert ("eve_error" in found) == bool(inverter)
    assert ("information" in found) == (scheme in ("vfe", "ibal", "lbvq", "uis"))
    expected = (
        found["bob_ce"]
        + bottleneck * found.get("information", 0.0)
        - inverter * found.get("eve_error", 0.0)
        + 0.7 * found.get("bob_plain_ce", 0.0)
        + 0.4 * found.get("wrong_key_loss", 0.0)
        + sum(found.get(name, 0.0) for name in ("entropy", "codebook", "commitment"))
    )
    assert found["total"] == pytest.approx(expected, rel=1e-4)


def test_alices_slope_makes_eves_error_larger():
    game = objective("ibal", inverter={"weight": 1e6}, bottleneck={"weight": 0.0})
    # An Eve who knows something, so that her error is below the mean image's.
    optimiser = torch.optim.Adam(game.players["eve_image"], lr=0.02)
    for step in range(100):
        game.link.train()
        optimiser.zero_grad()
        alice, eve = game.turns(0, 40)
        alice.loss(batch(), generator(2, step))
        total = eve.loss(batch(), generator(3, step))["total"]
        total.backward(inputs=game.players["eve_image"])
        optimiser.step()
    game.link.eval()
    before = losses_of(game, "link")
    slopes = torch.autograd.grad(before["total"], list(game.link.encoder.parameters()))
    assert sum(float(slope.abs().sum()) for slope in slopes) > 0
    with torch.no_grad():
        scale = sum(float(slope.square().sum()) for slope in slopes) ** 0.5
        for weight, slope in zip(game.link.encoder.parameters(), slopes, strict=True):
            weight -= 0.05 * slope / scale
    after = losses_of(game, "link")
    assert float(after["eve_error"]) > float(before["eve_error"])


def test_eve_learns_from_the_waveform_and_moves_nobody_else():
    game = objective("ibal")
    total = losses_of(game, "eve_image")["total"]
    wanted = [*game.players["eve_image"], *game.players["link"]]
    slopes = torch.autograd.grad(total, wanted, allow_unused=True)
    eves = len(game.players["eve_image"])
    assert all(slope is not None for slope in slopes[:eves])
    assert all(slope is None for slope in slopes[eves:])


def test_no_weight_of_bobs_or_alices_is_left_out_of_their_game():
    for scheme in ("deepjscc", "cipher", "vfe", "ibal", "lbvq", "uis"):
        game = objective(scheme)
        total = losses_of(game, "link")["total"]
        slopes = torch.autograd.grad(total, game.players["link"], allow_unused=True)
        assert all(slope is not None for slope in slopes), scheme


@pytest.mark.parametrize("form", ["static", "noise"])
def test_the_weight_of_eves_error_by_the_noise(form):
    game = objective("ibal", inverter={"weight": 1.0, "form": form}, bottleneck={"weight": 0.0})
    found = losses_of(game, "link")
    weight = 1.0 if form == "static" else 1 / (1 + float(noise_per_real(game.recipe.bob.snr_db)))
    expected = float(found["bob_ce"] - weight * found["eve_error"])
    assert float(found["total"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("span", [0.0, 6.0])
def test_bobs_snr_in_training_is_uniform_within_the_span(span):
    game = objective("vfe", train={"snr_span_db": span}, bob={"snr_db": 10.0})
    told = []
    exchange = game.link.exchange

    def listen(images, snr_db, source):
        told.append(snr_db)
        return exchange(images, snr_db, source)

    game.link.exchange = listen
    for step in range(60):
        next(turn for turn in game.turns(1, 40)).loss(batch(), generator(3, step))
    if not span:
        assert set(told) == {10.0}
        return
    drawn = torch.cat(told)
    assert len(drawn) == 60 * 12
    assert 4.0 <= float(drawn.min()) < 4.3
    assert 15.7 < float(drawn.max()) <= 16.0
    # Mean of 720 uniform draws of standard deviation 12/√12: 99.9 %.
    assert abs(float(drawn.mean()) - 10.0) < 3.29 * 12 / 12**0.5 / 720**0.5
