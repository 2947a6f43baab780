"""Our gradient attacks beside foolbox's, on the same receiver, from what arrives to the scores."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from semveil.adversary.perturb.iterative import FGM, PGD
from semveil.channel import Channel
from semveil.rng import generator

from .targets import incoming_of, target

fb = pytest.importorskip("foolbox")

# So little noise that float32 does not see it.
SILENT_DB = 160.0
STEPS = 20
# Wide enough that foolbox, which knows bounded inputs, never clips.
BOUNDS = (-1e3, 1e3)


def to_reals(signal):
    return torch.view_as_real(signal).flatten(1)


def to_complex(reals):
    return torch.view_as_complex(reals.unflatten(1, (-1, 2)).contiguous())


class Receiver(nn.Module):
    """Bob as a function of the reals of his antenna's waveform; the fading is given."""

    def __init__(self, bob, incoming):
        super().__init__()
        self.bob, self.incoming = bob, incoming

    def forward(self, reals):
        injected = to_complex(reals) - self.incoming.arrival.signal
        return self.bob.answer(self.incoming, injected, generator(0)).logits


def setting(victim, channel, count):
    bob = target(victim, channel, snr_db=SILENT_DB)
    incoming = incoming_of(victim, bob, count=count)
    model = fb.PyTorchModel(Receiver(bob, incoming).eval(), bounds=BOUNDS)
    signal = to_reals(incoming.arrival.signal)
    return bob, incoming, model, signal


def losses(bob, incoming, delta):
    logits = bob.answer(incoming, delta, generator(0)).logits
    return F.cross_entropy(logits, incoming.labels, reduction="none")


def fast_gradient(model, signal, labels, epsilon):
    _, clipped, _ = fb.attacks.L2FastGradientAttack()(model, signal, labels, epsilons=epsilon)
    return to_complex(clipped - signal)


@pytest.mark.parametrize("psr_db", [-20.0, -6.0, 3.0])
def test_the_fast_gradient_method_finds_the_same_perturbation(victim, psr_db):
    """Without fading all waveforms have one norm, and so all images one epsilon."""
    bob, incoming, model, signal = setting(victim, Channel("awgn"), 40)
    epsilon = float(signal[0].norm()) * 10 ** (psr_db / 20)
    theirs = fast_gradient(model, signal, incoming.labels, epsilon)
    (sent,) = FGM().craft(bob, incoming, [psr_db], generator(1))
    ours = bob.arriving(sent, incoming, psr_db)
    # One follows log-odds, the other the cross-entropy: the same direction but for rounding.
    assert float((ours - theirs).norm(dim=1).max() / epsilon) < 1e-3


def test_under_fading_every_image_has_an_epsilon_of_its_own(victim):
    bob, incoming, _, _ = setting(victim, Channel("rayleigh"), 4)
    (sent,) = FGM().craft(bob, incoming, [-6.0], generator(1))
    ours = bob.arriving(sent, incoming, -6.0)
    norms = incoming.arrival.signal.norm(dim=1)
    assert float(norms.max() / norms.min()) > 1.5
    arrival = incoming.arrival
    for image in range(4):
        one = slice(image, image + 1)
        alone = type(incoming)(
            type(arrival)(arrival.signal[one], arrival.fading[one]),
            incoming.labels[one],
            incoming.messages[one],
            incoming.images[one],
            incoming.waveform[one],
        )
        model = fb.PyTorchModel(Receiver(bob, alone).eval(), bounds=BOUNDS)
        epsilon = float(norms[image]) * 10 ** (-6.0 / 20)
        theirs = fast_gradient(model, to_reals(arrival.signal[one]), alone.labels, epsilon)
        assert float((ours[one] - theirs).norm()) / epsilon < 1e-3


@pytest.mark.parametrize("psr_db", [-14.0, -8.0])
def test_projected_gradient_descent_reaches_the_same_loss(victim, psr_db):
    """Ours stays on the sphere, theirs in the ball: images differ, means by under 0.5 %."""
    bob, incoming, model, signal = setting(victim, Channel("awgn"), 150)
    epsilon = float(signal[0].norm()) * 10 ** (psr_db / 20)
    attack = fb.attacks.L2ProjectedGradientDescentAttack(
        rel_stepsize=2.5 / STEPS, steps=STEPS, random_start=False
    )
    _, clipped, _ = attack(model, signal, incoming.labels, epsilons=epsilon)
    theirs = losses(bob, incoming, to_complex(clipped - signal))
    (sent,) = PGD(steps=STEPS, restarts=1).craft(bob, incoming, [psr_db], generator(1))
    ours = losses(bob, incoming, bob.arriving(sent, incoming, psr_db))
    clean = losses(bob, incoming, torch.zeros_like(sent))
    assert float(theirs.mean()) > float(clean.mean()) + 0.5
    assert float(ours.mean()) == pytest.approx(float(theirs.mean()), rel=0.005)
    assert float(((ours - theirs) / theirs).abs().median()) < 0.02
