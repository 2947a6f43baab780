"""The attacker's channel: what it does, and that the budget is met at Bob's antenna."""

from __future__ import annotations

import pytest
import torch

from semveil import phy
from semveil.adversary.perturb.attacker_channel import AttackerChannel, attacker_channel
from semveil.adversary.perturb.victim import Victim
from semveil.channel import OfdmChannel
from semveil.link import Answer, to_waveform
from semveil.recipe import AttackerConfig
from semveil.rng import generator, normal


def perturbations(batch=4, length=567):
    return normal((batch, length), dtype=torch.complex64, generator=generator(1))


def test_a_known_channel_changes_nothing():
    delta = perturbations()
    assert torch.equal(AttackerChannel()(delta, generator(0)), delta)


def test_timing_shifts_by_whole_samples_either_way_and_keeps_the_energy():
    delta = perturbations(600)
    came = AttackerChannel(timing=2)(delta, generator(0))
    lags = []
    for sent, heard in zip(delta, came, strict=True):
        (lag,) = (k for k in range(-2, 3) if torch.equal(torch.roll(sent, k), heard))
        lags.append(lag)
    counts = torch.bincount(torch.tensor(lags) + 2, minlength=5)
    # Uniform: 120 each of 600; five standard deviations are 49.
    assert counts.min() > 71
    assert counts.max() < 169


def test_an_unknown_phase_is_uniform_and_common_to_all_samples():
    delta = perturbations(2000)
    turned = AttackerChannel(phase=True)(delta, generator(0)) / delta
    assert torch.allclose(turned.abs(), torch.ones_like(turned.abs()), atol=1e-4)
    assert torch.allclose(turned, turned[:, :1].expand_as(turned), atol=1e-3)
    assert turned[:, 0].mean().abs() < 0.1


@pytest.mark.parametrize(("fading", "spread"), [("rayleigh", 0), ("multipath", 7)])
def test_her_own_fading_is_fresh_for_every_image(fading, spread):
    delta = torch.zeros(2000, 64, dtype=torch.complex64)
    delta[:, 0] = 1
    came = AttackerChannel(fading)(delta, generator(0))
    power = came.abs().square()
    assert float(power.sum(1).mean()) == pytest.approx(1.0, abs=0.1)
    assert (power[:, spread + 1 :] == 0).all()
    assert (power[:, spread] > 0).all()
    assert len(came[:, 0].real.unique()) == 2000


@pytest.mark.parametrize(
    "attacker",
    [
        AttackerChannel(),
        AttackerChannel("rayleigh"),
        AttackerChannel("multipath", 3, True),
        AttackerChannel(timing=8),
        AttackerChannel(phase=True),
    ],
)
def test_the_budget_is_met_at_bobs_antenna_over_any_attackers_channel(attacker):
    channel = OfdmChannel(csi="estimated")
    victim = Victim(
        lambda images, source, _: to_waveform(images.flatten(1)),
        lambda reception, _: Answer(reception.features()),
        channel,
        10.0,
        10,
        attacker,
    )
    images = torch.rand(6, 12, 8, 8, generator=generator(0))
    incoming = victim.send(images, torch.zeros(6, dtype=torch.long), generator(2))
    arriving = victim.arriving(perturbations(6), incoming, -7.0, generator(3))
    # Counted over the whole frame that arrives, pilots and prefixes too, noise excluded.
    assert phy.psr_db(arriving, incoming.arrival.signal).tolist() == pytest.approx(
        [-7.0] * 6, abs=1e-4
    )


def test_recipes_say_what_she_does_not_know():
    settings = AttackerConfig(fading="multipath", timing=4, phase=True)
    assert attacker_channel(settings) == AttackerChannel("multipath", 4, True)


def test_an_offset_carrier_turns_evenly_within_its_limit():
    delta = torch.ones(500, 8, dtype=torch.complex64)
    came = AttackerChannel(cfo=0.01)(delta, generator(0))
    steps = (came[:, 1:] / came[:, :-1]).angle() / (2 * torch.pi)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), atol=1e-6)
    # Uniform on ±0.01 cycles per sample.
    assert 0.0095 < steps.abs().max() <= 0.01 + 1e-6
    assert steps.mean().abs() < 1e-3
