"""The training loop: what it computes, and that it can be broken off anywhere."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F
from toys import LABELS, SHAPE, game, snapshot

from semveil.errors import SemveilError
from semveil.link import as_float
from semveil.rng import generator
from semveil.training import loop
from semveil.training.checkpoint import load_tensors
from semveil.training.loop import Schedule, checkpoint_path, fit, learning_rate, write_history
from semveil.training.objective import Turn

IMAGES = torch.randint(0, 256, (50, *SHAPE), dtype=torch.uint8, generator=generator(1))
MANY_LABELS = LABELS.repeat(7)[:50]


def schedule(epochs=8, batch=8, lr=1e-2, norm=1.0, seed=0):
    """Return a schedule; 50 images in batches of 8 make 6 steps an epoch."""
    return Schedule(epochs, batch, lr, norm, seed)


class Line:
    """One player with one weight; its losses are made to order."""

    def __init__(self, loss, name="line"):
        self.name = name
        self.weight = nn.Parameter(torch.ones(1))
        self.modules = nn.ModuleDict({"line": nn.ParameterList([self.weight])})
        self.players = {"line": [self.weight]}
        self.step, self.loss = -1, loss

    def turns(self, step, steps_per_epoch):
        self.step = step
        return [Turn("line", lambda batch, source: self.loss(self.weight, step, batch, source))]


def test_a_weight_of_zero_is_plain_multitask_training_to_the_last_bit(fabric):
    """A loop written out here, in which Eve does nothing but draw from the step's stream."""
    objective = game(weight=0.0, link_steps=2, pretrain_epochs=1)
    plan = schedule()
    fit(objective, IMAGES, MANY_LABELS, plan, fabric)

    plain = game(weight=0.0)
    link = plain.link.to(memory_format=torch.channels_last)
    adam = torch.optim.Adam(link.parameters())
    steps = 6 * plan.epochs
    for step in range(steps):
        epoch, place = divmod(step, 6)
        order = torch.randperm(50, generator=generator(0, "game", "order", epoch))
        chosen = order[8 * place : 8 * place + 8]
        images = as_float(IMAGES[chosen]).contiguous(memory_format=torch.channels_last)
        source = generator(0, "game", "step", step)
        if step % 2 == 0:
            link.eval()
            with torch.no_grad():
                plain.eve_channel(link.transmit(images), 10.0, generator=source)
            link.train()
        # Hers are the first draws of the step; what she draws after his concerns nobody.
        answer = link(images, 10.0, generator=source)
        loss = F.cross_entropy(answer.logits, MANY_LABELS[chosen])
        loss = loss + 10.0 * F.mse_loss(answer.images, images)
        adam.param_groups[0]["lr"] = learning_rate(plan.lr, step, steps)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(link.parameters(), 1.0)
        adam.step()

    expected, found = snapshot(link), snapshot(objective.link)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_game_ends_elsewhere(fabric):
    plain, played = game(weight=0.0), game(weight=1.0)
    for objective in (plain, played):
        fit(objective, IMAGES, MANY_LABELS, schedule(1), fabric)
    one, other = (dict(each.link.encoder.named_parameters()) for each in (plain, played))
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_every_image_of_an_epoch_is_seen_once(fabric):
    seen = []

    def look(weight, step, batch, source):
        seen.append((batch.images * 255).round().to(torch.uint8))
        return {"total": weight.sum()}

    fit(Line(look), IMAGES[:48], MANY_LABELS[:48], schedule(2), fabric)
    known = sorted(image.numpy().tobytes() for image in IMAGES[:48])
    epochs = [torch.cat(seen[:6]), torch.cat(seen[6:])]
    for epoch in epochs:
        assert sorted(image.numpy().tobytes() for image in epoch) == known
    assert not torch.equal(*epochs)


def test_a_gradient_above_the_norm_is_scaled_down_to_it(fabric):
    lengths = []

    class Spy(torch.optim.Adam):
        def step(self, closure=None):
            lengths.append(self.param_groups[0]["params"][0].grad.norm().item())
            return super().step(closure)

    slope = torch.tensor(0.0)

    def steep(weight, step, batch, source):
        return {"total": (slope * weight).sum()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "Adam", Spy)
        for steepness in (100.0, 0.01):
            slope.fill_(steepness)
            fit(Line(steep), IMAGES, MANY_LABELS, schedule(1, norm=0.5), fabric)
    assert lengths[:6] == pytest.approx([0.5] * 6, rel=1e-4)
    assert lengths[6:] == pytest.approx([0.01] * 6)


def test_the_history_has_every_partys_losses_every_20_steps_and_at_the_end(fabric):
    """With three link steps to one of Eve's, hers is not among the losses of every step."""
    history = fit(game(link_steps=3), IMAGES, MANY_LABELS, schedule(9), fabric)
    assert [row["step"] for row in history] == [20, 40, 54]
    for row in history:
        assert set(row) == {"step", "eve_total", "eve_image_total", "link_total"} | {
            "bob_ce", "bob_mse", "eve_privacy_loss"
        }  # fmt: skip
        assert all(math.isfinite(value) for value in row.values())


def test_written_history_is_one_object_a_line(tmp_path):
    path = tmp_path / "history.jsonl"
    write_history(path, {"a": [{"step": 20, "x": 1.0}], "b": [{"step": 20}, {"step": 40}]})
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"stage": "a", "step": 20, "x": 1.0},
        {"stage": "b", "step": 20},
        {"stage": "b", "step": 40},
    ]


class UnpluggedError(Exception):
    """Somebody pulled the plug."""


def unplug_at(objective, step):
    """Make an objective break off before a step."""
    turns = objective.turns

    def unplugged(now, per_epoch):
        if now == step:
            raise UnpluggedError
        return turns(now, per_epoch)

    objective.turns = unplugged
    return objective


@pytest.fixture(scope="module")
def unbroken():
    torch.set_num_threads(1)
    objective = game(link_steps=3, pretrain_epochs=4, polish_epochs=3)
    history = fit(objective, IMAGES, MANY_LABELS, schedule(12), Fabric(accelerator="cpu"))
    return snapshot(objective.modules), history


@pytest.mark.parametrize("places", [(0,), (1,), (19,), (20,), (33,), (71,), (5, 25, 25, 41, 60)])
def test_training_broken_off_anywhere_ends_at_the_same_bits(
    places, unbroken, fabric, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "_SAVE_EVERY_S", -1)
    for place in places:
        objective = unplug_at(game(link_steps=3, pretrain_epochs=4, polish_epochs=3), place)
        with pytest.raises(UnpluggedError):
            fit(objective, IMAGES, MANY_LABELS, schedule(12), fabric, tmp_path)
        path = checkpoint_path(tmp_path, "game")
        assert path.exists() == (place >= 20)
        torch.rand(100)
    objective = game(link_steps=3, pretrain_epochs=4, polish_epochs=3)
    history = fit(objective, IMAGES, MANY_LABELS, schedule(12), fabric, tmp_path)
    state = snapshot(objective.modules)
    expected, expected_history = unbroken
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    assert history == expected_history


def test_a_finished_stage_is_not_trained_again(fabric, tmp_path):
    first = fit(game(), IMAGES, MANY_LABELS, schedule(2), fabric, tmp_path)
    again = unplug_at(game(), 0)
    state = snapshot(again.modules)
    assert fit(again, IMAGES, MANY_LABELS, schedule(2), fabric, tmp_path) == first
    assert not all(torch.equal(state[name], t) for name, t in snapshot(again.modules).items())


def nan_from(step, value):
    """Return a loss that is not finite from a step on, counted from 1."""

    def loss(weight, now, batch, source):
        factor = value if now + 1 >= step else 1.0
        return {"total": (weight * factor).sum()}

    return loss


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("step", [1, 20, 21, 30, 47, 48])
def test_a_loss_that_is_not_finite_stops_and_is_named_by_its_exact_step(
    step, value, fabric, tmp_path, monkeypatch
):
    monkeypatch.setattr(loop, "_SAVE_EVERY_S", -1)
    with pytest.raises(SemveilError, match=rf"^line: .* not finite at step {step} of 48"):
        fit(Line(nan_from(step, value)), IMAGES, MANY_LABELS, schedule(8), fabric, tmp_path)
    path = checkpoint_path(tmp_path, "line")
    good = 20 * ((step - 1) // 20)
    assert path.exists() == (good > 0)
    if good:
        tensors, facts = load_tensors(path)
        assert facts["step"] == good
        assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_a_slope_that_is_not_finite_does_not_reach_the_checkpoint(fabric, tmp_path, monkeypatch):
    """At 0 the root is finite and its slope is not; clipping makes NaN of it."""
    monkeypatch.setattr(loop, "_SAVE_EVERY_S", -1)

    def rooted(weight, now, batch, source):
        return {"total": (weight * (now + 1 != 40)).abs().sqrt().sum()}

    with pytest.raises(SemveilError, match="not finite at step 40 of 48"):
        fit(Line(rooted), IMAGES, MANY_LABELS, schedule(8), fabric, tmp_path)
    tensors, facts = load_tensors(checkpoint_path(tmp_path, "line"))
    assert facts["step"] == 20
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_a_loss_that_was_not_finite_once_is_noticed(fabric):
    """A later finite loss must not cover it up."""

    def once(weight, now, batch, source):
        return {"total": weight.sum(), "seen": torch.tensor(math.nan if now == 24 else 0.0)}

    with pytest.raises(SemveilError, match="not finite at step 25 of 48"):
        fit(Line(once), IMAGES, MANY_LABELS, schedule(8), fabric)


def test_without_a_folder_nothing_is_said_of_a_checkpoint(fabric):
    with pytest.raises(SemveilError) as error:
        fit(Line(nan_from(1, math.nan)), IMAGES, MANY_LABELS, schedule(8), fabric)
    assert "keeps" not in str(error.value)


def test_without_a_checkpoint_yet_none_is_promised(fabric, tmp_path):
    with pytest.raises(SemveilError) as error:
        fit(Line(nan_from(1, math.nan)), IMAGES, MANY_LABELS, schedule(8), fabric, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert "keeps" not in str(error.value)


def test_fewer_images_than_a_batch_are_refused(fabric):
    with pytest.raises(SemveilError, match=r"train\.batch: 64 images a step.* only 50"):
        fit(game(), IMAGES, MANY_LABELS, schedule(batch=64), fabric)


def test_progress_is_told_up_to_the_end(fabric):
    told = []
    line = Line(lambda weight, step, batch, source: {"total": weight.sum()})
    fit(line, IMAGES, MANY_LABELS, schedule(8), fabric, progress=lambda *news: told.append(news))
    assert told == [("line", 20, 48), ("line", 40, 48), ("line", 48, 48)]


def test_an_average_of_weights_is_their_moving_average_and_goes_on_after_a_break(
    fabric, tmp_path, monkeypatch
):
    """Against a loop written out here; the last weights of every step are those without it."""
    seen = []

    def loss(weight, step, batch, source):
        seen.append(float(weight.detach()))
        return {"total": (weight - 3).square().sum()}

    plan = replace(schedule(4, lr=0.1), average=0.9)
    plain = Line(loss)
    fit(plain, IMAGES, MANY_LABELS, replace(plan, average=0.0), fabric)
    values = [*seen[1:], float(plain.weight)]
    expected = values[0]
    for value in values[1:]:
        expected = 0.9 * expected + 0.1 * value

    monkeypatch.setattr(loop, "_SAVE_EVERY_S", -1)
    broken = unplug_at(Line(loss), 22)
    with pytest.raises(UnpluggedError):
        fit(broken, IMAGES, MANY_LABELS, plan, fabric, tmp_path)
    averaged = Line(loss)
    fit(averaged, IMAGES, MANY_LABELS, plan, fabric, tmp_path)
    assert float(averaged.weight) == pytest.approx(expected, rel=1e-5)
    assert abs(float(averaged.weight) - float(plain.weight)) > 1e-3
    again = Line(loss)
    fit(again, IMAGES, MANY_LABELS, plan, fabric, tmp_path)
    assert torch.equal(again.weight, averaged.weight)
