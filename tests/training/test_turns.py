"""Whose turn it is: the ratio of steps, the pre-training, and what each turn may touch."""

from __future__ import annotations

import pytest
import torch
from toys import LABELS, SHAPE, batch, game, gradients, plain_recipe, snapshot

from semveil.errors import SemveilError
from semveil.recipe import check
from semveil.rng import generator
from semveil.training.loop import Schedule, fit


def played(objective, steps, per_epoch):
    """Return who moves, step by step: Eve on the label, Alice with Bob, Eve on the image."""
    letters = {"eve": "E", "link": "A", "eve_image": "I"}
    return [
        " ".join(letters[turn.player] for turn in objective.turns(step, per_epoch))
        for step in range(steps)
    ]


def test_one_step_each_eve_first():
    assert played(game(), 3, 10) == ["E A I"] * 3


def test_eves_steps_come_together_at_the_start_of_a_round():
    assert played(game(eve_steps=3), 2, 10) == ["E E E A I"] * 2


def test_alice_moves_on_while_eve_waits():
    round_of_four = ["E A I", "A", "A", "A"]
    assert played(game(link_steps=4), 8, 10) == round_of_four * 2


@pytest.mark.parametrize(("eve_steps", "link_steps"), [(1, 1), (4, 1), (1, 4), (3, 2)])
def test_the_ratio_of_steps_is_what_was_asked_for(eve_steps, link_steps):
    steps = 60
    moves = " ".join(played(game(eve_steps=eve_steps, link_steps=link_steps), steps, 10)).split()
    assert moves.count("A") == steps
    assert moves.count("E") == steps * eve_steps / link_steps


def link_turn(objective, step, per_epoch):
    (turn,) = (turn for turn in objective.turns(step, per_epoch) if turn.player in ("link", "bob"))
    return turn


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_the_game_begins_after_the_pretraining(epochs):
    objective = game(pretrain_epochs=epochs)
    source = generator(0)
    for step in (0, 6, 7, 20, 21, 22):
        losses = link_turn(objective, step, 7).loss(batch(), source)
        assert ("eve_privacy_loss" in losses) == (step >= epochs * 7), step


def test_in_the_last_epochs_bobs_heads_alone_move():
    objective = game(polish_epochs=2, link_steps=3)
    # 12 epochs of 7 steps: the last two begin at step 70.
    assert [turn.player for turn in objective.turns(69, 7)] == ["eve", "link", "eve_image"]
    for step in (70, 71, 83):
        (turn,) = objective.turns(step, 7)
        assert turn.player == "bob"
        assert "eve_privacy_loss" not in turn.loss(batch(), generator(0))
    heads = {id(p) for p in objective.players["bob"]}
    link = objective.link
    assert heads == {id(p) for m in (link.classifier, link.reconstructor) for p in m.parameters()}


def test_while_bobs_heads_catch_up_alice_and_eve_stay_to_the_last_bit(fabric):
    before = {}

    class Watched(type(game())):
        def turns(self, step, per_epoch):
            if step == 10 * per_epoch:
                before.update(snapshot(self.modules))
            return super().turns(step, per_epoch)

    objective = game(polish_epochs=2)
    objective.__class__ = Watched
    images = torch.randint(0, 256, (32, *SHAPE), dtype=torch.uint8, generator=generator(1))
    fit(objective, images, LABELS.repeat(4), Schedule(12, 16, 1e-2, 1.0, 0), fabric)
    for name, tensor in snapshot(objective.modules).items():
        still = name.startswith(("eve.", "link.encoder."))
        assert torch.equal(before[name], tensor) == still, name


def test_epochs_around_the_game_that_leave_none_for_it_are_refused():
    with pytest.raises(SemveilError, match=r"privacy\.pretrain_epochs: 7 .* train\.epochs: 12"):
        game(pretrain_epochs=7, polish_epochs=5)
    game(weight=0.0, pretrain_epochs=7, polish_epochs=5)


def test_without_a_weight_the_game_never_begins():
    objective = game(weight=0.0, polish_epochs=2)
    losses = link_turn(objective, 80, 7).loss(batch(), generator(0))
    assert set(losses) == {"total", "bob_ce", "bob_mse"}
    assert losses["total"] == losses["bob_ce"] + 10.0 * losses["bob_mse"]


def test_the_total_is_the_weighted_sum():
    objective = game(weight=0.3)
    losses = link_turn(objective, 0, 7).loss(batch(), generator(0))
    expected = losses["bob_ce"] + 10.0 * losses["bob_mse"] + 0.3 * losses["eve_privacy_loss"]
    torch.testing.assert_close(losses["total"], expected)


@pytest.mark.parametrize(
    ("mover", "moving"), [("eve", "eve.label."), ("link", "link."), ("eve_image", "eve.image.")]
)
def test_whoever_does_not_move_stays_as_it_was_to_the_last_bit(mover, moving, fabric):
    objective = game(weight=5.0)
    turns = [turn for turn in objective.turns(0, 1) if turn.player == mover]
    objective.turns = lambda step, per_epoch: turns
    before = snapshot(objective.modules)
    images = torch.randint(0, 256, (32, *SHAPE), dtype=torch.uint8, generator=generator(1))
    fit(objective, images, LABELS.repeat(4), Schedule(3, 16, 1e-2, 1.0, 0), fabric)
    for name, tensor in snapshot(objective.modules).items():
        # The whitening's filters are set before training.
        moves = name.startswith(moving) and not name.endswith(("filters", "offset"))
        assert torch.equal(before[name], tensor) != moves, name


def privacy_loss_of(objective):
    """Return what the game's loss says of Eve."""
    return link_turn(objective, 0, 1).loss(batch(), generator(0))["eve_privacy_loss"]


def test_the_privacy_loss_reaches_alice_through_eve():
    objective = game(weight=1.0)
    slopes = gradients(privacy_loss_of(objective), objective.link.encoder)
    assert all(slope is not None and slope.any() for slope in slopes.values())


def test_the_privacy_loss_does_not_concern_bobs_receiver():
    objective = game(weight=1.0)
    for receiver in (objective.link.classifier, objective.link.reconstructor):
        assert all(
            slope is None for slope in gradients(privacy_loss_of(objective), receiver).values()
        )


@pytest.mark.parametrize(("player", "network"), [("eve", "label"), ("eve_image", "image")])
def test_in_eves_turns_no_gradient_reaches_alice(player, network):
    objective = game()
    (turn,) = (turn for turn in objective.turns(0, 1) if turn.player == player)
    total = turn.loss(batch(), generator(0))["total"]
    assert all(slope is None for slope in gradients(total, objective.link).values())
    learning = getattr(objective.eve, network)
    assert all(slope is not None for slope in gradients(total, learning).values())


def test_eve_learns_the_label_by_cross_entropy_and_the_image_by_squared_error():
    objective = game(recipe=check(plain_recipe() | {"eve": {"snr_db": 60.0, "fading": "awgn"}}))
    infer, _, invert = objective.turns(0, 1)
    objective.link.eval()
    with torch.no_grad():
        heard = objective.eve_channel(
            objective.link.transmit(batch().images), 60.0, generator=generator(0)
        ).features()
        label, image = objective.eve.label(heard), objective.eve.image(heard)
    expected = -torch.log_softmax(label, 1)[range(8), LABELS].mean()
    torch.testing.assert_close(infer.loss(batch(), generator(0))["total"], expected)
    expected = (image - batch().images).square().mean()
    torch.testing.assert_close(invert.loss(batch(), generator(0))["total"], expected)


def test_the_privacy_loss_moves_alice_the_more_the_more_it_weighs():
    def slope(weight):
        objective = game(weight=weight)
        total = link_turn(objective, 0, 1).loss(batch(), generator(0))["total"]
        found = gradients(total, objective.link.encoder)
        return torch.cat([part.flatten() for part in found.values()])

    plain, one, two = slope(0.0), slope(1.0), slope(2.0)
    assert (one - plain).norm() > 0.01 * plain.norm()
    torch.testing.assert_close(two - plain, 2 * (one - plain), rtol=1e-3, atol=1e-6)


def test_bob_and_eve_hear_fading_and_noise_of_their_own():
    recipe = check(plain_recipe() | {"eve": {"snr_db": 60.0, "fading": "awgn"}})
    objective = game(recipe=recipe)
    images = torch.zeros(4, *SHAPE)
    with torch.no_grad():
        waveform = objective.link.transmit(images)
        heard = objective.eve_channel(waveform, objective.eve_snr_db, generator=generator(0))
    # At 60 dB without fading she has the waveform itself, whatever Bob has at 10 dB.
    torch.testing.assert_close(heard.symbols, waveform, rtol=0, atol=0.01)
