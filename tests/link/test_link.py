"""The link: power, taps, channel knowledge."""

import pytest
import torch

from semveil import phy
from semveil.channel import Channel
from semveil.link import multitask_link, to_waveform
from semveil.rng import generator, seeded


def small_link(**channel):
    with seeded(0, "link"):
        return multitask_link((1, 8, 8), 10, 16, width=4, channel=Channel(**channel))


def test_one_loud_image_does_not_borrow_from_its_batch():
    latent = torch.randn(8, 16, generator=generator(0))
    latent[3] *= 100
    assert phy.average_power(to_waveform(latent)).tolist() == pytest.approx([1.0] * 8)


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 48)])
def test_a_link_rebuilds_images_of_the_shape_it_was_built_for(shape):
    link = multitask_link(shape, 7, 10, width=4).eval()
    answer = link(torch.rand(2, *shape), snr_db=torch.tensor([0.0, 20.0]))
    assert answer.logits.shape == (2, 7)
    assert answer.images.shape == (2, *shape)
    assert 0 <= float(answer.images.min().detach()) <= float(answer.images.max().detach()) <= 1


@pytest.mark.parametrize("dimension", [0, 7, -2])
def test_an_odd_or_empty_latent_is_refused(dimension):
    with pytest.raises(ValueError, match="latent_dim must be even"):
        multitask_link((1, 8, 8), 10, dimension)


@pytest.mark.parametrize("fading", ["awgn", "rayleigh", "rician"])
@pytest.mark.parametrize("csi", ["perfect", "estimated"])
def test_everything_is_differentiable_through_the_channel(fading, csi):
    link = small_link(fading=fading, csi=csi)
    images = torch.rand(4, 1, 8, 8, generator=generator(1))
    link(images, 10.0, generator=generator(2)).images.sum().backward()
    weight = link.encoder.project.weight.grad
    assert weight is not None
    assert float(weight.abs().sum()) > 0


def test_bobs_measured_snr_is_the_nominal_one():
    channel = Channel("awgn")
    z = phy.normalise_power(torch.randn(4000, 32, dtype=torch.complex64, generator=generator(3)))
    heard = channel(z, 7.0, generator=generator(4))
    assert float(phy.measured_snr_db(z.reshape(1, -1), heard.symbols.reshape(1, -1))) == (
        pytest.approx(7.0, abs=0.05)
    )


def test_bob_and_eve_hear_independent_fading():
    channel = Channel("rayleigh")
    z = torch.ones(20000, 1, dtype=torch.complex64)
    source = generator(5)
    bob = channel(z, 60.0, generator=source).csi[:, 0]
    eve = channel(z, 60.0, generator=source).csi[:, 0]
    # |correlation| of independent draws is below 4/√N with a probability of 0.9999997.
    assert abs(complex((bob * eve.conj()).mean())) < 4 / 20000**0.5


def test_mallory_reaches_the_pilots_and_so_the_channel_estimate():
    channel = Channel("awgn", "estimated", pilots=2)
    z = torch.ones(1, 4, dtype=torch.complex64)
    silent = channel(z, 60.0, generator=generator(6))
    on_pilots = torch.tensor([[0.5, 0.5, 0, 0, 0, 0]], dtype=torch.complex64)
    jammed = channel(z, 60.0, generator=generator(6), injected=on_pilots)
    assert torch.allclose(jammed.symbols, silent.symbols)
    assert float((jammed.csi - silent.csi).real) == pytest.approx(0.5, abs=0.01)


def test_estimated_csi_costs_bob_less_the_more_pilots_he_has():
    z = phy.normalise_power(torch.randn(4000, 16, dtype=torch.complex64, generator=generator(7)))

    def error(**channel):
        heard = Channel("rayleigh", **channel)(z, 5.0, generator=generator(8))
        equalised = phy.mmse(heard.symbols, heard.csi, heard.noise_variance)
        return float((equalised - z).abs().square().mean())

    perfect = error()
    many, few = (error(csi="estimated", pilots=pilots) for pilots in (32, 1))
    assert perfect < many < few


def test_features_are_a_sufficient_statistic_up_to_the_noise_level():
    channel = Channel("rayleigh")
    z = phy.normalise_power(torch.randn(5, 8, dtype=torch.complex64, generator=generator(9)))
    heard = channel(z, 10.0, generator=generator(10))
    features = heard.features()
    equalised = torch.view_as_complex(features[:, :-1].unflatten(1, (-1, 2)).contiguous())
    gain = features[:, -1:]
    # conj(h)·y, the matched filter, comes back from the features and σ².
    matched = equalised * (heard.noise_variance / (1 - gain))
    assert torch.allclose(matched, heard.csi.conj() * heard.symbols, rtol=1e-3, atol=1e-4)
