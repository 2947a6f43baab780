"""The whitening: uncorrelated maps of equal variance, computed from images alone."""

from __future__ import annotations

import pytest
import torch

from semveil.nets.residual_jscc import ResidualDecoder, ResidualEncoder
from semveil.nets.whitening import Whitening
from semveil.rng import generator


def images(count, *shape):
    """Smooth random images, whose neighbouring pixels are alike."""
    noise = torch.rand((count, shape[0], 6, 6), generator=generator(0, *shape))
    smooth = torch.nn.functional.interpolate(noise, shape[1:], mode="bilinear")
    grain = 0.1 * torch.rand((count, *shape), generator=generator(1, *shape))
    return (255 * (0.9 * smooth + grain)).byte()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_maps_are_uncorrelated_and_of_equal_variance_and_come_in_both_signs(channels, padded):
    given = images(400, channels, 20, 20)
    whitening = Whitening(channels, padded)
    whitening.prepare(given)
    maps = whitening(given.float() / 255)
    assert maps.shape == (400, 8 * channels, 20 if padded else 19, 20 if padded else 19)
    half = maps[:, : 4 * channels, :19, :19]
    assert torch.allclose(maps[:, 4 * channels :, :19, :19], -half, atol=1e-3)
    covariance = torch.cov(half.transpose(0, 1).flatten(1))
    spread = covariance.diagonal()
    # What is added to the variances keeps them just below one.
    assert float(spread.max()) < 1.01
    assert float(spread.min()) > 0.9
    off = covariance - spread.diag()
    assert float(off.abs().max()) < 0.02


def test_it_is_the_same_whatever_the_contrast_and_the_brightness():
    darker = images(300, 3, 16, 16) // 2
    given = 2 * darker
    darker = darker + 40
    found = []
    for each in (given, darker):
        whitening = Whitening(3)
        whitening.prepare(each)
        found.append(whitening(each.float() / 255))
    assert torch.allclose(*found, atol=1e-3)


def test_images_of_one_grey_are_no_error():
    whitening = Whitening(1)
    whitening.prepare(torch.full((10, 1, 8, 8), 7, dtype=torch.uint8))
    assert whitening(torch.rand(2, 1, 8, 8)).isfinite().all()


def test_the_linear_path_of_the_image_code_is_principal_component_analysis():
    given = images(300, 3, 16, 16)
    encoder, decoder = ResidualEncoder((3, 16, 16), 12, 16), ResidualDecoder((3, 16, 16), 12, 16)
    encoder.prepare(given)
    decoder.prepare(given)
    pixels = given.float() / 255
    with torch.no_grad():
        latents = encoder(pixels)
        # As the decoder expects them: the power that two reals of a symbol share.
        latents = latents / (2 * latents.square().mean(1, keepdim=True)).sqrt()
        rebuilt = decoder.eval()(torch.cat([latents, torch.ones(300, 1)], 1))
    patches = torch.nn.functional.pixel_unshuffle(pixels, 4).flatten(2).transpose(1, 2)
    flat = patches.reshape(-1, 48).double()
    values = torch.linalg.eigvalsh(torch.cov(flat.T))
    least = float(values[:-12].sum() / 48)
    error = float((rebuilt - pixels).square().mean())
    # The gain of every image is lost: a little worse than the components that are left out.
    assert least * 0.99 < error < 2 * least + 1e-3
