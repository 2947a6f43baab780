"""What holds of every registered metric, and what an audit measures of those that are asked for."""

import math
import subprocess
import sys

import pytest
import torch
from sklearn.datasets import load_digits

from semveil.errors import SemveilError
from semveil.metrics import METRICS, ImageMetric, image_metrics, metric_of
from semveil.metrics.floors import image_floor, uninformed
from semveil.rng import generator, normal, uniform

OF_IMAGES = [name for name, kind in METRICS.items() if issubclass(kind, ImageMetric)]


def digits():
    """Return handwritten digits, float ``[N, 1, 8, 8]``."""
    return torch.from_numpy(load_digits().images).float()[:, None] / 16


@pytest.mark.parametrize("name", METRICS.names())
def test_a_metric_says_what_it_is(name):
    metric = METRICS.get(name)()
    assert metric.title
    assert metric.description
    assert metric.bounds[0] < metric.bounds[1]
    assert metric.target in {"label", "image"}
    if metric.axis is not None:
        assert metric.bounds[0] <= metric.axis[0] < metric.axis[1] <= metric.bounds[1]


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_metric_of_images_prefers_the_original_and_has_a_floor(name):
    metric = METRICS.get(name)()
    originals = uniform((3, 3, 16, 16), generator=generator(0))
    noisy = (originals + 0.2 * normal(originals.shape, generator=generator(1))).clamp(0, 1)
    same, worse = metric(originals, originals), metric(noisy, originals)
    assert ((same > worse) == metric.higher_is_better).all()
    low, high = metric.bounds
    assert ((low <= worse) & (same <= high)).all()
    assert metric.floors


def test_reports_know_metrics_without_torch():
    code = "from semveil.metrics import METRICS; METRICS.names(); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "semveil.metrics.fisher" in done.stdout.split()
    assert not {"torch", "torchmetrics"} & set(done.stdout.split())


def test_floors_ceilings_and_tails_have_the_unit_of_the_whole():
    assert metric_of("psnr_db_p5").label == metric_of("psnr_db").label
    assert metric_of("psnr_mean_image_db").unit == metric_of("minimum_psr_db_p25").unit == "dB"
    assert metric_of("label_accuracy_of_originals").scale == 100
    assert metric_of("mi_bits_20_floor").unit == "bits"
    assert math.isinf(metric_of("seconds").bounds[1])


def test_a_name_is_looked_up_whole():
    assert metric_of("accuracy_gain").name == "accuracy_gain"
    assert metric_of("psnr_db_p50").unit == ""


class Reduced(ImageMetric):
    """A metric that returns the mean instead of one number per image."""

    name = title = "reduced"

    def per_image(self, images, originals):
        return (images - originals).abs().mean()


def test_a_metric_that_does_not_rate_every_image_is_refused():
    with pytest.raises(SemveilError, match="reduced: per_image returned shape"):
        Reduced()(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8))


@pytest.mark.parametrize("name", ["ssmi", "accuracy"])
def test_only_metrics_of_images_can_be_asked_for(name):
    with pytest.raises(SemveilError, match=name):
        image_metrics([name])


def test_the_floor_is_the_best_that_is_reached_without_the_image():
    images = digits()
    mean = images[:800].mean(0)
    for name in OF_IMAGES:
        metric = METRICS.get(name)()
        some = images[800:][: metric.sample]
        floor = image_floor(metric, mean, images[800:], seed=0)
        reached = [float(metric(x.expand_as(some), some).mean()) for x in uninformed(mean)]
        best = max(reached) if metric.higher_is_better else min(reached)
        assert floor.value == pytest.approx(best, abs=1e-5)
        assert floor.low <= floor.value <= floor.high
        assert floor.n == len(some)


def test_the_sharpened_mean_image_is_the_floor_of_ssim_on_digits():
    """Who answers with the mean image alone would set the floor too low."""
    images = digits()
    mean, ssim = images.mean(0), METRICS.get("ssim")()
    some = images[: ssim.sample]
    plain = float(ssim(mean.expand_as(some), some).mean())
    assert image_floor(ssim, mean, images, seed=0).value > plain + 0.05
