"""Perturbations: budgets met exactly, controls of equal energy, and strength where it counts."""

import pytest
import torch
from torch.nn import functional as F

from semveil import phy
from semveil.adversary.perturb.cooperative import (
    CooperativeAim,
    GradientLayer,
    LearnedLayer,
    NoiseLayer,
    PerturbationConfig,
    superimpose,
)
from semveil.adversary.perturb.gradient import descend
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.link import multitask_link
from semveil.nets.dense import Mlp
from semveil.recipe import check
from semveil.rng import generator, normal, seeded


def waveforms(batch=6, uses=16, seed=0):
    return phy.normalise_power(
        normal((batch, uses), dtype=torch.complex64, generator=generator(seed))
    )


def system(form, psr_db=-6.0, **perturbation):
    recipe = check(
        {
            "link": {"latent_dim": 32, "width": 4},
            "perturbation": {"form": form, "psr_db": psr_db, "draws": 2, "steps": 5} | perturbation,
        }
    )
    settings = recipe.of(PerturbationConfig)
    with seeded(3, "test"):
        link = multitask_link((1, 8, 8), 10, 32, width=4).eval().requires_grad_(False)
        eve = Mlp(33, (32,), 10).requires_grad_(False)
        if form == "learned":
            return settings, LearnedLayer(settings, 32), link, eve
    aim = CooperativeAim(settings, link, eve)
    return settings, GradientLayer(settings, recipe.bob, recipe.eve, aim, seed=1), link, eve


@pytest.mark.parametrize("psr_db", [-20.0, -6.0, 3.0, torch.tensor([-20.0, -10, -5, 0, 3, 10])])
def test_psr_is_met_exactly_for_every_image(psr_db):
    signal = waveforms()
    delta = to_psr(waveforms(seed=1) * torch.arange(1, 7)[:, None], signal, psr_db)
    measured = phy.psr_db(delta, signal)
    assert measured.tolist() == pytest.approx(torch.as_tensor(psr_db).expand(6).tolist(), abs=1e-4)


def test_jamming_has_exactly_the_energy_of_the_attack_it_is_compared_with():
    signal = waveforms()
    noise = jamming(signal, -7.0, generator=generator(5))
    assert phy.psr_db(noise, signal).tolist() == pytest.approx([-7.0] * 6, abs=1e-4)


def test_one_step_is_the_whole_budget_along_the_gradient():
    signal = waveforms()
    target = waveforms(seed=9)
    delta = descend(signal, lambda d, step: (signal + d - target).abs().square().sum(1), -10.0)
    wanted = to_psr(target - signal, signal, -10.0)
    assert torch.allclose(delta, wanted, atol=1e-6)


def test_several_steps_are_at_least_as_strong_as_one_and_more_budget_is_stronger():
    signal = waveforms(batch=64)
    with seeded(0, "net"):
        network = Mlp(32, (64, 64), 10)
    labels = network(torch.view_as_real(signal).flatten(1)).argmax(1)

    def loss(delta, step):
        logits = network(torch.view_as_real(signal + delta).flatten(1))
        return -F.cross_entropy(logits, labels, reduction="none")

    def reached(psr_db, steps):
        return loss(descend(signal, loss, psr_db, steps), 0).mean().item()

    clean = loss(torch.zeros_like(signal), 0).mean().item()
    one, many = reached(-10.0, 1), reached(-10.0, 20)
    assert many <= one < clean
    assert reached(-3.0, 20) < many
    jam = jamming(signal, -10.0, generator=generator(1))
    assert many < loss(jam, 0).mean().item()


@pytest.mark.parametrize("form", ["fgm", "pgd", "learned"])
@pytest.mark.parametrize("total_power", [1.0, 1.5])
def test_the_layer_spends_the_stated_total_power_at_the_stated_psr(form, total_power):
    _, layer, _, _ = system(form, total_power=total_power)
    signal = waveforms()
    sent = layer(signal).detach()
    assert phy.average_power(sent).tolist() == pytest.approx([total_power] * 6, rel=1e-5)
    # Undo the common gain: what was added must have the stated ratio to the signal.
    gains = torch.linspace(0.1, 3, 30001)
    for image in range(6):
        # ‖g·sent − signal‖² = psr·k is a quadratic in g; one of its roots is the layer's gain.
        a = sent[image].abs().square().sum()
        b = (sent[image].conj() * signal[image]).real.sum()
        ratio = (gains**2 * a - 2 * gains * b + 16) / 16
        assert (10 * torch.log10(ratio) + 6).abs().min() < 0.01


@pytest.mark.parametrize("form", ["fgm", "pgd"])
def test_a_waveform_depends_on_its_image_alone(form):
    _, layer, _, _ = system(form)
    signal = waveforms()
    together = layer(signal)
    alone = torch.cat([layer(signal[i : i + 1]) for i in range(6)])
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_layer_lowers_its_own_aim_more_than_noise_of_the_same_power():
    settings, layer, link, eve = system("pgd", psr_db=-6.0)
    signal = waveforms(batch=64)
    aim = CooperativeAim(settings, link, eve)
    wanted = aim.wanted(signal)

    def reached(sent):
        source = generator(11)
        bob = link.channel(sent, 10.0, generator=source)
        ear = link.channel(sent, 10.0, generator=source)
        return aim.loss(bob, ear, wanted).mean().item()

    noise = NoiseLayer(settings)(signal, generator(2))
    assert reached(layer(signal)) < reached(signal) - 0.01
    assert reached(layer(signal)) < reached(noise) - 0.01


def test_superposition_keeps_the_psr_of_its_parts():
    signal = waveforms()
    delta = to_psr(waveforms(seed=4), signal, -6.0)
    sent = superimpose(signal, delta)
    gain = (sent[:, :1] / (signal + delta)[:, :1]).real
    assert phy.psr_db(gain * delta, gain * signal).tolist() == pytest.approx([-6.0] * 6, abs=1e-4)
    assert phy.average_power(sent).tolist() == pytest.approx([1.0] * 6, rel=1e-5)
