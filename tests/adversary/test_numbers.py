"""Perturbations at the ends of what numbers can hold: budgets are met, and no gradient is lost."""

from __future__ import annotations

import pytest
import torch

from semveil import attack, phy
from semveil.adversary.perturb.attack import log_odds
from semveil.adversary.perturb.psr import to_psr
from semveil.channel import Channel
from semveil.data import load
from semveil.link import Answer, to_waveform
from semveil.recipe import AttackConfig
from semveil.rng import generator, normal


@pytest.mark.parametrize("size", [1e-36, 1e-23, 1e-20, 1.0, 1e18, 1e36])
def test_the_budget_is_met_whatever_the_size_of_the_direction(size):
    signal = normal((4, 16), dtype=torch.complex64, generator=generator(0))
    direction = size * normal((4, 16), dtype=torch.complex64, generator=generator(1))
    delta = to_psr(direction, signal, -10.0)
    assert phy.psr_db(delta, signal).tolist() == pytest.approx([-10.0] * 4, abs=1e-3)


def test_log_odds_have_the_slope_of_the_cross_entropy_and_keep_it():
    logits = torch.tensor([[2.0, 0.0, -1.0], [300.0, 0.0, -1.0]], requires_grad=True)
    labels = torch.tensor([0, 0])
    (ours,) = torch.autograd.grad(log_odds(logits, labels).sum(), logits)
    entropy = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    (theirs,) = torch.autograd.grad(-entropy, logits)
    alike = torch.nn.functional.cosine_similarity(ours[0], theirs[0], dim=0)
    assert float(alike) == pytest.approx(1.0, abs=1e-6)
    assert theirs[1].abs().sum() == 0
    assert ours[1].abs().sum() > 1


@pytest.mark.parametrize("gain", [1.0, 300.0])
def test_a_receiver_is_not_saved_by_being_sure(gain):
    """The same linear receiver, its logits scaled: what it answers is the same, attacked or not."""
    data = load("digits")
    x = torch.from_numpy(data.system.x).flatten(1).float() / 255 - 0.5
    sent = torch.view_as_real(to_waveform(x)).flatten(1)
    answers = torch.nn.functional.one_hot(torch.from_numpy(data.system.y)).float()
    ridge = 0.05 * len(sent) * torch.eye(sent.shape[1])
    weights = gain * torch.linalg.solve(sent.T @ sent + ridge, sent.T @ answers)
    sound = []

    def receive(reception):
        logits = reception.features()[:, :-1] @ weights
        sound.append(bool(logits.isfinite().all()))
        return Answer(logits)

    found = attack(
        lambda images, _: to_waveform(images.flatten(1) - 0.5),
        receive,
        data,
        channel=Channel("awgn"),
        snr_db=20.0,
        settings=AttackConfig(
            names=["fgm", "pgd"], psr_db=[-8.0], images=200, pgd={"steps": 5, "restarts": 1}
        ),
        device="cpu",
    )
    told = {
        r.adversary: r.value
        for r in found.records
        if r.metric == "accuracy" and r.image_class is None
    }
    assert all(sound)
    assert told[None] > 0.85
    assert told["fgm"] < 0.35
    assert told["pgd"] < 0.2
