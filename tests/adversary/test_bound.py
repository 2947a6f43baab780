"""The critic's bound on receptions whose information is known."""

import math

import pytest
import torch

from semveil.adversary.eavesdrop.infonce import fit_critic, information_nats
from semveil.adversary.eavesdrop.observations import Intercepts, Recording
from semveil.adversary.eavesdrop.trainer import Effort
from semveil.channel import Channel
from semveil.rng import generator, normal

SPREAD = 0.12


def intercepts(transmit, purpose, n):
    """Return receptions in white noise of images of four independent Gaussian pixels."""
    pixels = normal((n, 1, 2, 2), generator=generator(1, purpose))
    grey = ((0.5 + SPREAD * pixels) * 255).round().clamp(0, 255).to(torch.uint8)
    recording = Recording(
        transmit,
        grey,
        torch.zeros(n, dtype=torch.int64),
        purpose=purpose,
        seed=0,
        device=torch.device("cpu"),
    )
    return Intercepts(recording, Channel("awgn"))


def pixels(images, source, messages):
    reals = (images.flatten(1) - 0.5) / SPREAD / math.sqrt(2)
    return torch.view_as_complex(reals.unflatten(1, (-1, 2)).contiguous())


def nothing(images, source, messages):
    return normal((len(images), 2), dtype=torch.complex64, generator=source)


@pytest.fixture(scope="module")
def measured():
    def measure(transmit):
        training, validation, test = (
            intercepts(transmit, purpose, n)
            for purpose, n in (("adversary", 4000), ("validation", 512), ("test", 4096))
        )
        critic = fit_critic(training, validation, [0.0, 10.0], Effort(8, 8), seed=0)
        return [information_nats(critic, test, snr, generator(2))[0] for snr in (0.0, 10.0)]

    return {"pixels": measure(pixels), "nothing": measure(nothing)}


def test_it_comes_close_to_the_closed_form_from_below(measured):
    for values, snr_db in zip(measured["pixels"], (0.0, 10.0), strict=True):
        truth = 4 * 0.5 * math.log(1 + 10 ** (snr_db / 10))
        error = float(values.std()) / len(values) ** 0.5
        assert truth * 0.7 < float(values.mean()) < truth + 3 * error


def test_it_finds_nothing_where_there_is_nothing(measured):
    for values in measured["nothing"]:
        assert float(values.mean()) == pytest.approx(0, abs=0.02)


def test_the_ceiling_follows_from_the_candidates():
    few = intercepts(pixels, "few", 100)
    critic = fit_critic(few, few, [60.0], Effort(1, 1), seed=0)
    values, candidates = information_nats(critic, few, 60.0, generator(3))
    assert candidates == 100
    assert float(values.max()) <= math.log(100) + 1e-5
