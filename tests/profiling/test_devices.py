"""Many devices at one receiver, against what is known in closed form."""

from __future__ import annotations

from math import sqrt

import pytest
import torch

from semveil import recipe as recipes
from semveil.experiment.link import untrained
from semveil.profiling.devices import MixedBatch, OwnCodebooks, key_costs, mean_errors, senders
from semveil.profiling.memory import memory
from semveil.protect.keys import research_key
from semveil.protect.laplace import DpConfig, Laplace
from semveil.protect.multi_user import MultiUserTransform
from semveil.protect.normalise import normalise_blocks
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator, normal


@pytest.mark.parametrize("kind", [Shuffle, Rotation])
def test_each_message_is_opened_with_its_senders_key(kind):
    covers = [kind(research_key(0, number)) for number in range(5)]
    devices = senders(5, 40, seed=0)
    counters = torch.arange(40) // 3
    waveform = normalise_blocks(normal((40, 16), generator=generator(0)))
    sent = torch.cat(
        [
            covers[device].encrypt(waveform[row : row + 1], counters[row : row + 1])
            for row, device in enumerate(devices.tolist())
        ]
    )
    opened = MultiUserTransform(covers).decrypt(sent, counters, devices)
    assert torch.allclose(opened, waveform, atol=1e-6)
    wrong = MultiUserTransform(covers).decrypt(sent, counters, (devices + 1) % 5)
    assert bool(((wrong - waveform).abs().amax(1) > 1e-2).all())
    with pytest.raises(ValueError, match="one device for each"):
        MultiUserTransform(covers).decrypt(sent, counters, devices[:3])


def test_one_device_is_served_as_by_its_own_cover():
    link = untrained("rotation", recipes.load("rotation-digits"), (1, 8, 8), 10, seed=0)
    batch = MixedBatch(link, devices=1, batch=6, seed=0)
    assert batch.mixed is not None
    cover = batch.mixed.transforms[0]
    with torch.no_grad():
        link.transform = cover
        expected = link.receive(batch.heard, batch.messages)
    assert torch.equal(batch(), expected.logits)


def test_equal_codebooks_serve_as_the_shared_one():
    link = untrained("lbvq", recipes.load("lbvq-digits"), (1, 8, 8), 10, seed=0)
    own = OwnCodebooks(link, devices=7, batch=9, seed=0)
    own.words = link.network.codebook.words.detach().expand_as(own.words)
    assert torch.allclose(own(), MixedBatch(link, 7, 9, seed=0)(), atol=1e-6)


@pytest.mark.parametrize("devices", [1, 16, 400])
def test_the_error_of_a_mean_is_that_of_laplace_noise(devices):
    dim, draws = 32, 200
    local = Laplace(DpConfig(reading="genuine", epsilon=2.0, clip=1.5), dim)
    features = normal((devices, dim), generator=generator(0, "features"))
    errors = mean_errors(features, local, draws, seed=0)
    expected = local.noise_scale * sqrt(2 / devices)
    # Mean square over 6400 values whose squares vary by √5 of their mean at most: 2.8 % each
    # standard deviation, half of it in the root; four of them.
    found = float(errors.square().mean().sqrt())
    assert abs(found / expected - 1) < 4 * sqrt(5 / (dim * draws)) / 2


def test_few_sessions_are_timed_and_not_weighed():
    found = key_costs(2)
    assert list(found) == ["agreement_s"]
    assert found["agreement_s"].value > 0


@pytest.mark.skipif(memory("VmRSS") is None, reason="the system does not tell")
def test_a_session_takes_at_least_its_window_and_keys():
    from semveil.profiling.devices import session_bytes

    found = session_bytes(3000)
    assert found is not None
    assert 1024 + 2 * 32 < found < 8192
