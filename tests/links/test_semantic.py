"""MobileSC's link: its frame, its two ways to understand, its optional networks."""

from __future__ import annotations

import pytest
import torch

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.rng import generator, seeded
from semveil.schemes import SCHEMES

SMALL = ["link.width=4", "semantic.blocks=1", "semantic.classifier_width=4"]


def built(name="mobilesc-digits", shape=(1, 8, 8), *settings):
    recipe = recipes.load(name, [*SMALL, *settings])
    with seeded(0, "weights"):
        return SCHEMES.get(recipe.scheme)(recipe).build(shape, 10).eval()


@pytest.mark.parametrize(
    ("name", "shape"), [("mobilesc-mnist", (1, 28, 28)), ("mobilesc-cifar10", (3, 32, 32))]
)
def test_the_published_frame(name, shape):
    link = built(name, shape)
    waveform = link.transmit(torch.rand(2, *shape, generator=generator(0)))
    assert waveform.shape == (2, 384)
    assert link.channel.symbols(384) == 6
    assert link.channel.arrive(waveform).signal.shape == (2, 567)
    assert torch.allclose(waveform.abs().square().mean(1), torch.ones(2), atol=1e-5)


def test_the_latent_is_understood_without_reconstruction():
    link = built()
    images = torch.rand(2, 1, 8, 8, generator=generator(0))
    heard = link.channel(link.transmit(images), 10.0, generator=generator(1))
    direct, rebuilt = link.understand(heard), link.receive(heard)
    assert direct.images is None
    assert rebuilt.images.shape == images.shape
    assert not torch.allclose(direct.logits, rebuilt.logits)
    # What is read in the latent does not depend on the decoder.
    for parameter in link.reconstructor.parameters():
        parameter.data.zero_()
    assert torch.equal(link.understand(heard).logits, direct.logits)


def test_untrained_refinement_changes_nothing_and_learns():
    plain, refined = built(), built("mobilesc-digits", (1, 8, 8), "bob.ofdm.refine=true")
    images = torch.rand(4, 1, 8, 8, generator=generator(0))
    heard = refined.channel(refined.transmit(images), 10.0, generator=generator(1))
    assert torch.allclose(refined.observe(heard), heard.features(), atol=1e-5)
    assert plain.refiners is None
    loss = refined.exchange(images, 10.0, generator(2)).answer.logits.square().sum()
    last = [list(refiner.parameters())[-1] for refiner in refined.refiners]
    for slope in torch.autograd.grad(loss, last):
        assert slope.abs().sum() > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["link.latent_dim=130"], "130 reals are no whole maps of 2×2"),
        (["link.latent_dim=136"], "68 channel uses do not fill whole OFDM symbols of 64"),
        (["bob.csi=perfect", "bob.fading=awgn", "bob.ofdm.refine=true"], "needs fading=multipath"),
        (["bob.ofdm.subcarriers=32", "bob.ofdm.refine=true"], "square number"),
        (["bob.ofdm.pilot_symbols=0"], "estimated CSI needs at least 1"),
        (["protections=[shuffle]", "bob.ofdm.refine=true"], "bob.ofdm.refine: its networks"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(SemveilError, match=message):
        built("mobilesc-digits", (1, 8, 8), *settings)
