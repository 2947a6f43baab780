"""The standard suite: what each of its parts adds, and where it takes part."""

from __future__ import annotations

import math

import pytest
import torch

from semveil.adversary.eavesdrop.choice import chosen
from semveil.adversary.eavesdrop.demodulation import SoftDemodulator, points_of
from semveil.adversary.eavesdrop.losses import LOSSES, missing_information
from semveil.adversary.eavesdrop.observations import Intercepts, Recording, moved
from semveil.adversary.eavesdrop.suite import standard
from semveil.channel import Channel
from semveil.metrics import psnr_db
from semveil.metrics.information import mi_bits
from semveil.metrics.structural_similarity import ssim
from semveil.recipe import AuditConfig
from semveil.rng import generator

CPU = torch.device("cpu")


def pictures(count=64, seed=0):
    return torch.randint(256, (count, 1, 12, 12), generator=generator(seed), dtype=torch.uint8)


def recorded(send, purpose="adversary"):
    images = pictures()
    labels = torch.zeros(len(images), dtype=torch.int64)
    return Recording(send, images, labels, purpose=purpose, seed=0, device=CPU)


def plain(images, source, messages):
    reals = images.flatten(1)[:, :16] - 0.5
    return torch.view_as_complex(reals.unflatten(1, (-1, 2)).contiguous())


def test_an_image_is_moved_as_a_whole_and_its_edge_repeated():
    images = pictures(50)
    found = moved(images, 2, generator(3))
    padded = torch.nn.functional.pad(images.float(), (2,) * 4, mode="replicate").to(torch.uint8)
    ways = set()
    for one, after in zip(padded, found, strict=True):
        fits = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(one[:, y : y + 12, x : x + 12], after)
        ]
        assert fits
        ways.add(fits[0])
    assert len(ways) > 15


def test_what_would_not_differ_is_not_sent_again():
    recording = recorded(plain)
    assert not recording.randomised
    assert recording.resent(3) is recording
    assert not torch.equal(recording.resent(3, shift=1).images, recording.images)


def test_every_sending_has_numbers_and_randomness_of_its_own():
    numbers = []

    def noisy(images, source, messages):
        numbers.append(messages)
        return plain(images, source, messages) + torch.randn(1, generator=source)

    recording = recorded(noisy)
    assert recording.randomised
    sent = [recording, recording.resent(0), recording.resent(1)]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert not torch.equal(sent[one].waveforms, sent[other].waveforms)
    assert torch.equal(sent[1].waveforms, recording.resent(0).waveforms)
    recorded(noisy, "test")
    # The last but two repeats resent(0) on purpose.
    every = torch.cat([*numbers[:4], *numbers[5:]])
    assert len(every.unique()) == len(every)


def test_receptions_of_moved_images_are_scored_by_the_moved_images():
    heard = Intercepts(recorded(plain), Channel("awgn")).resent(0, 1)
    reals = heard.receive(torch.arange(5), 200.0, generator(0)).symbols
    expected = plain(heard.images[:5].float() / 255, None, None)
    torch.testing.assert_close(reals, expected)


def test_the_logarithmic_error_is_mean_psnr():
    images, originals = pictures(seed=1).float() / 255, pictures(seed=2).float() / 255
    exact = -float(psnr_db(images, originals).mean()) / 10 * math.log(10)
    assert float(LOSSES["log-mse"](images, originals)) == pytest.approx(exact, abs=1e-3)


def test_soft_information_is_the_metric_at_the_middle_of_its_bins():
    levels = (torch.randint(20, (8, 1, 20, 20), generator=generator(4)) + 0.5) / 20
    near = torch.where(torch.rand(levels.shape, generator=generator(5)) < 0.7, levels, 0.525)
    own, others = mi_bits(levels, near), mi_bits(levels, near.roll(1, 0))
    error = 2 * (levels - near).square().mean()
    expected = error - (own - others).mean()
    assert float(missing_information(near, levels)) == pytest.approx(float(expected), abs=0.02)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_along_the_gradient_lowers_the_loss(loss):
    originals = pictures(16, seed=6).float() / 255
    images = (0.5 * originals + 0.25).requires_grad_()
    before = LOSSES[loss](images, originals)
    (slope,) = torch.autograd.grad(before, images)
    after = LOSSES[loss](images - 1e-2 * slope / slope.abs().max(), originals)
    assert float(after) < float(before)


@pytest.mark.parametrize("shape", [(3, 8, 9), (1, 28, 24)])
def test_similarity_is_learned_as_it_is_measured(shape):
    originals = torch.rand(8, *shape, generator=generator(7)).mul(255).round() / 255
    images = (0.8 * originals + 0.1).mul(255).round() / 255
    error = 2 * (images - originals).square().mean()
    expected = 1 - ssim(images, originals).mean() + error
    torch.testing.assert_close(LOSSES["ssim"](images, originals), expected, atol=1e-5, rtol=0)


def test_points_are_found_where_there_are_few():
    levels = torch.tensor([-3.0, -1.0, 1.0, 3.0]) / 10**0.5
    rows = torch.randint(4, (40, 8, 2), generator=generator(8))
    sent = torch.view_as_complex(levels[rows].contiguous())
    found = points_of(sent)
    assert found is not None
    assert len(found) == 16
    nearest = (sent.flatten()[:, None] - found).abs().amin(1)
    assert float(nearest.max()) < 1e-3
    turned = sent * torch.polar(torch.ones(40, 8), torch.rand(40, 8, generator=generator(9)))
    assert points_of(turned) is None


def test_posteriors_are_those_of_the_channel():
    """Two points over Rayleigh fading: the posterior is a sigmoid of the matched filter."""
    points = torch.tensor([1.0 + 0j, -1.0 + 0j])
    sent = points[torch.randint(2, (200, 6), generator=generator(10))]
    heard = Channel("rayleigh")(sent, 3.0, generator=generator(11))
    found = SoftDemodulator(points)(heard.features())[:, :12].unflatten(1, (6, 2))
    matched = 4 * (heard.csi.conj() * heard.symbols).real / heard.noise_variance
    torch.testing.assert_close(found[..., 0], torch.sigmoid(matched), atol=1e-4, rtol=1e-3)


def test_the_suite_adapts_to_the_system():
    names = [eve.adversary for eve in standard(permutes=False)]
    assert len(set(names)) == len(names)
    assert not any("/set" in name for name in names)
    with_sets = [eve.adversary for eve in chosen(AuditConfig(), permutes=True)]
    assert {"inference/set", "inversion/set"} <= set(with_sets)
    assert sorted(eve.adversary for eve in chosen(AuditConfig())) == sorted(names)


def test_a_setting_of_a_recipe_reaches_the_suite():
    settings = AuditConfig.model_validate({"inference/wide": {"width": 64}})
    wide = next(eve for eve in chosen(settings) if eve.adversary == "inference/wide")
    assert wide.config.width == 64
