"""The standard suite: what each of its parts adds, and where it takes part."""

from __future__ import annotations

import json
import math

import pytest
import torch

from semveil.adversary.eavesdrop.bayes import BayesInference, posterior
from semveil.adversary.eavesdrop.choice import chosen
from semveil.adversary.eavesdrop.demodulation import (
    DemodulatingInference,
    SoftDemodulator,
    points_of,
)
from semveil.adversary.eavesdrop.eavesdropper import Observations
from semveil.adversary.eavesdrop.inference import WideInference
from semveil.adversary.eavesdrop.inversion import WideInversion
from semveil.adversary.eavesdrop.losses import LOSSES, missing_information
from semveil.adversary.eavesdrop.observations import Intercepts, Recording, moved
from semveil.adversary.eavesdrop.suite import standard
from semveil.adversary.eavesdrop.trainer import Effort
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


def test_half_of_the_images_are_moved_as_wholes_by_the_pixels_allowed_and_a_small_turn():
    """A blob at 8 pixels from the centre, of 48: its own place tells how it was moved."""
    rows, columns = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    blob = torch.exp(-((rows - 23.5).square() + (columns - 31.5).square()) / 8)
    images = (255 * blob).round().to(torch.uint8).expand(400, 3, -1, -1)
    found = moved(images, 2, generator(3))
    assert found.dtype == torch.uint8
    assert torch.equal(found[:, 0], found[:, 2])
    left = (found == images).flatten(1).all(1)
    # Five standard deviations of 400 fair coins.
    assert abs(int(left.sum()) - 200) < 50
    weight = found[~left, 0].float()
    weight = weight / weight.sum((1, 2), keepdim=True)
    place = torch.stack([(weight * axis).sum((1, 2)) for axis in (rows, columns)], 1)
    distance = (place - torch.tensor([23.5, 31.5])).abs()
    # 2 pixels, 8 % of 8 pixels, a turn by 0.16 rad and a slant by 0.12 of 8 pixels.
    assert float(distance.max()) < 2 + 0.7 + 1.3 + 1
    assert float(distance.amax(0).min()) > 2


def test_what_is_moved_in_repeats_the_edge():
    images = torch.full((40, 1, 12, 12), 200, dtype=torch.uint8)
    assert torch.equal(moved(images, 2, generator(4)), images)


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


def test_the_slope_of_soft_information_is_that_of_its_values():
    originals = pictures(8, seed=8).float() / 255
    images = 0.2 + 0.6 * torch.rand(originals.shape, generator=generator(9))
    images.requires_grad_()
    (slope,) = torch.autograd.grad(missing_information(images, originals), images)
    # The histogram is linear between the middles of bins alone: a small step crosses few of them.
    with torch.no_grad():
        ahead, behind = (
            missing_information(images + step * slope.sign(), originals) for step in (2e-4, -2e-4)
        )
    assert float(slope.abs().sum()) == pytest.approx(float(ahead - behind) / 4e-4, rel=0.03)


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
    expected = 1 - ssim(images, originals).mean()
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


def few_waveforms(count=40):
    """Return a transmitter of images that are numbers, each with a waveform of its own."""
    waveforms = torch.randn(count, 6, dtype=torch.complex64, generator=generator(12))

    def send(images, source, messages):
        return waveforms[(images.flatten(1)[:, 0] * 255).round().long()]

    def record(purpose):
        numbers = torch.arange(count, dtype=torch.uint8).repeat(10)
        images = numbers[:, None, None, None].expand(-1, 1, 8, 8)
        labels = numbers.long() % 10
        return Recording(send, images, labels, purpose=purpose, seed=0, device=CPU)

    return waveforms, record


def observed(record):
    training, validation = (
        Intercepts(record(purpose), Channel("rayleigh")) for purpose in ("adversary", "validation")
    )
    return Observations(training, validation, (0.0,), 10, Effort(1, 1), 0, lambda: None)


def test_likelihoods_are_those_of_the_channel():
    waveforms, _ = few_waveforms()
    heard = Channel("rayleigh")(waveforms, 3.0, generator=generator(13))
    reals = torch.view_as_real(waveforms).flatten(1)
    found = posterior(heard.features(), reals, mismatch=0.3)
    distance = (heard.symbols[:, None] - heard.csi[:, None] * waveforms).abs().square().sum(2)
    variance = heard.noise_variance + 0.3 * heard.csi.abs().square()
    torch.testing.assert_close(found, (-distance / variance).softmax(1), atol=1e-4, rtol=1e-3)


def test_bayes_rule_decides_as_maximum_likelihood_where_her_images_are_all_there_are():
    """An untrained network beside it does not mislead her: validation chooses the weights."""
    waveforms, record = few_waveforms()
    eve = BayesInference(width=8)
    eve.fit(observed(record))
    test = Intercepts(record("test"), Channel("rayleigh"))
    heard = test.receive(torch.arange(len(test)), 0.0, generator(14))
    gains = (heard.symbols[:, None] - heard.csi[:, None] * waveforms).abs().square().sum(2)
    nearest = gains.argmin(1) % 10
    best = float((nearest == test.labels).float().mean())
    guesses = eve.listen(heard, 0.0).argmax(1)
    found = float((guesses == test.labels).float().mean())
    assert 0.3 < best < 0.9
    # The posterior of the class is the best guess; the nearest waveform is almost as good. Four
    # standard deviations of 400 decisions, of which those agree that matter.
    assert found > best - 4 * (best * (1 - best) / 400) ** 0.5 / 2


def test_wide_eavesdroppers_are_one_network_trained_once():
    given = observed(few_waveforms()[1])
    losses = list(WideInference.losses)
    told = []
    inverters = [WideInversion(loss=loss, width=16) for loss in losses]
    for eve in inverters:
        eve.fit(given, lambda done, most: told.append(done))
    assert told == [1]
    label = WideInference(width=16)
    label.fit(given, lambda done, most: told.append(done))
    assert told == [1]
    heard = given.validation.receive(torch.arange(5), 0.0, generator(15))
    images = [eve.listen(heard, 0.0) for eve in inverters]
    assert not torch.equal(images[0], images[1])
    # Whoever is trained first, the network is the same.
    again = observed(few_waveforms()[1])
    other = WideInference(width=16)
    other.fit(again)
    assert torch.equal(other.listen(heard, 0.0), label.listen(heard, 0.0))
    last = WideInversion(loss=losses[-1], width=16)
    last.fit(again)
    assert torch.equal(last.listen(heard, 0.0), images[-1])


def test_every_head_has_the_weights_that_were_best_for_it():
    eve = WideInference(width=8)
    eve.best, eve.trained = {}, eve.network(5, 10, (1, 4, 4))
    totals = []
    for number, losses in enumerate([(1.0, 5.0, 5.0, 5.0), (2.0, 4.0, 6.0, 4.0)]):
        for weight in eve.trained.parameters():
            weight.data.fill_(float(number))
        totals.append(eve.validated(eve.trained, torch.tensor(losses)))
    # The sum falls as long as any head improves.
    assert totals == [16.0, 14.0]
    found = {loss: next(eve.image_head(loss).parameters()) for loss in eve.losses}
    assert {loss: float(weight.flatten()[0]) for loss, weight in found.items()} == {
        "log-mse": 1.0,
        "ssim": 0.0,
        "mi": 1.0,
    }
    assert math.isnan(eve.validated(eve.trained, torch.tensor([1.0, math.nan, 1.0, 1.0])))


def test_scaled_features_have_unit_mean_power_at_every_snr():
    waveforms = torch.randn(500, 20, dtype=torch.complex64, generator=generator(16))
    for snr_db in (-10.0, 0.0, 20.0):
        heard = Channel("rayleigh")(waveforms, snr_db, generator=generator(17))
        details = heard.details(scaled=True)
        power = details[:, 40:80].square().mean() * 2
        # 20,000 reals: five standard deviations.
        assert float(power) == pytest.approx(1, abs=5 * (2 / 20000) ** 0.5)
        gain_db = 10 * (heard.csi.abs().square() / heard.noise_variance).log10()
        near = details[:, 80:89].argmax(1) * 5.0 - 15
        torch.testing.assert_close(near, gain_db[:, 0].clamp(-15, 25), atol=2.51, rtol=0)


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


def test_the_demodulator_recalls_the_constellation_she_learned():
    """Her network cannot be built again without it."""
    points = torch.polar(torch.ones(8), torch.arange(8) * (math.pi / 4))
    eve, again = DemodulatingInference(), DemodulatingInference()
    eve.points = points
    again.recall(DemodulatingInference.Learned(**json.loads(eve.learned().model_dump_json())))
    shapes = [
        {key: value.shape for key, value in each.network(17, 10, (1, 8, 8)).state_dict().items()}
        for each in (eve, again)
    ]
    assert shapes[0] == shapes[1]
    assert torch.equal(again.points, points)
