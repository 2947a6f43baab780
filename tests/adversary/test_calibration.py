"""Gain and offset of an inverter's pictures, chosen on validation images."""

from __future__ import annotations

import pytest
import torch
from scipy import optimize

from semveil.adversary.eavesdrop.calibration import affine
from semveil.adversary.eavesdrop.eavesdropper import Observations
from semveil.adversary.eavesdrop.inversion import Inversion
from semveil.adversary.eavesdrop.observations import Intercepts, Recording
from semveil.adversary.eavesdrop.trainer import Effort
from semveil.channel import Channel
from semveil.link import as_float
from semveil.rng import generator, normal, uniform


def images(count=60):
    return uniform((count, 1, 6, 6), generator=generator(0, "images"))


@pytest.mark.parametrize("logarithmic", [False, True])
def test_the_minimum_is_that_of_a_general_search(logarithmic):
    originals = images()
    # Errors of very different size, so that the two criteria differ.
    scale = torch.logspace(-2, 0, 60).view(-1, 1, 1, 1)
    drawn = normal(originals.shape, generator=generator(1))
    pictures = 0.7 * originals + 0.05 + 0.3 * scale * drawn
    gain, offset = affine(pictures, originals, logarithmic)

    def criterion(point):
        error = (point[0] * pictures + point[1] - originals).square().flatten(1).mean(1)
        return float((error.clamp_min(1e-6).log() if logarithmic else error).mean())

    best = optimize.minimize(criterion, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-4})
    assert criterion([gain, offset]) <= best.fun + 0.01 * abs(best.fun)
    assert criterion([gain, offset]) < criterion([1.0, 0.0])


def test_pictures_that_are_right_stay_as_they_are():
    originals = images()
    assert affine(originals, originals, True) == (1.0, 0.0)
    assert affine(originals, originals, False) == (1.0, 0.0)


def test_pictures_that_say_nothing_become_the_mean():
    originals = images()
    gain, offset = affine(torch.zeros_like(originals), originals, False)
    assert offset == pytest.approx(float(originals.mean()), abs=1e-6)
    assert gain == pytest.approx(0.0, abs=1e-6)


class Dim(Inversion):
    """An inverter whose network has but one weight, so that training leaves its pictures dim."""

    name = "inversion/dim"

    def network(self, inputs, classes, image_shape):
        return Faded()


class Faded(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, observations):
        # The reals are the pixels themselves; the last is the reliability.
        pixels = observations[:, :-1] / observations[:, -1:]
        return (0.2 + self.weight * (pixels / 2 + 0.5).detach()).unflatten(1, (1, 6, 6)) * 0.5


def send(given, source, messages):
    return torch.view_as_complex((2 * given.flatten(1) - 1).unflatten(1, (-1, 2)).contiguous())


@pytest.mark.parametrize(("loss", "calibrated"), [("mse", True), ("log-mse", True), ("mi", False)])
def test_an_inverter_is_calibrated_at_each_snr_for_losses_of_the_error(loss, calibrated):
    pixels = (255 * images(400)).byte()
    labels = torch.zeros(400, dtype=torch.int64)
    training, validation = (
        Intercepts(
            Recording(send, pixels, labels, purpose=purpose, seed=0, device=torch.device("cpu")),
            Channel("awgn"),
        )
        for purpose in ("adversary", "validation")
    )
    eve = Dim(loss=loss)
    effort = Effort(1, 1)
    eve.fit(Observations(training, validation, (5.0, 30.0), 10, effort, 0, lambda: None))
    assert sorted(eve.calibration) == ([5.0, 30.0] if calibrated else [])
    for snr_db in (5.0, 30.0):
        heard = training.receive(torch.arange(400), snr_db, generator(2))
        found = eve.listen(heard, snr_db)
        bare = eve.trained(eve.features(heard))
        errors = [(each - as_float(pixels)).square().mean() for each in (found, bare)]
        assert (errors[0] < 0.8 * errors[1]) == calibrated
    # At an SNR that she was not trained for she returns what her network says.
    assert torch.equal(eve.listen(heard, 12.0), bare)
