"""Transmitters and perturbations that conform, and one for each mistake that people make."""

import math

import numpy as np
import pytest
import torch

import semveil
from semveil import conform, phy
from semveil.adversary.perturb.psr import jamming
from semveil.conform.transmitter_checks import made_images


def latent(images):
    pixels = images.reshape(len(images), -1) - 0.4
    return pixels[:, ::2] + 1j * pixels[:, 1::2]


def own_power(images):
    z = latent(images)
    return z / np.sqrt((np.abs(z) ** 2).mean(1, keepdims=True))


def test_a_transmitter_of_unit_power_conforms():
    report = conform.transmitter(own_power, (1, 8, 8), bandwidth_ratio=0.5)
    report.require()
    assert report.took == "numpy images; returned complex [B, k]"
    assert "k = 32" in report.checks[-1].says


def test_power_per_real():
    check = conform.transmitter(lambda images: math.sqrt(2) * own_power(images)).failures[0]
    assert check.offset_db == pytest.approx(3.01, abs=0.01)
    assert "unit power per real component" in check.says


def test_energy_of_one_for_the_whole_waveform():
    def unit_norm(images):
        return own_power(images) / math.sqrt(32)

    check = conform.transmitter(unit_norm, (1, 8, 8)).failures[0]
    assert check.offset_db == pytest.approx(-15.05, abs=0.01)
    assert "‖z‖² = 1 for the whole waveform" in check.says


def test_power_over_the_batch():
    def over_the_batch(images):
        z = latent(images)
        return z / np.sqrt((np.abs(z) ** 2).mean())

    power, batch = conform.transmitter(over_the_batch).failures
    assert "normalised over the batch; alone, each image has unit power" in power.says
    assert "normalised over the batch" in batch.says


def test_batch_statistics():
    def batch_norm(images):
        z = latent(images)
        z = z - z.mean(0)
        return z / np.sqrt((np.abs(z) ** 2).mean(1, keepdims=True) + 1e-9)

    report = conform.transmitter(batch_norm)
    assert "depends on the rest of the batch" in report.failures[-1].says


def test_one_gain_for_all_is_allowed_where_it_is_stated():
    images = made_images((1, 8, 8), 0)
    gain = 1 / np.sqrt((np.abs(latent(images)) ** 2).mean())

    def fixed(images):
        return gain * latent(images)

    assert "power differs" not in conform.transmitter(fixed, (1, 8, 8)).failures[0].says
    assert "only the mean over images is one" in (
        conform.transmitter(fixed, (1, 8, 8)).failures[0].says
    )
    conform.transmitter(fixed, (1, 8, 8), fixed_gain=True).require()
    with pytest.raises(AssertionError, match="mean power per symbol"):
        conform.transmitter(lambda x: 2 * fixed(x), (1, 8, 8), fixed_gain=True).require()


def test_reals_counted_as_channel_uses():
    check = conform.transmitter(own_power, (1, 8, 8), bandwidth_ratio=1.0).failures[0]
    assert check.offset_db == pytest.approx(-3.01, abs=0.01)
    assert "reals were counted as complex symbols" in check.says


def test_each_real_as_a_symbol_of_its_own():
    def real_symbols(images):
        z = images.reshape(len(images), -1) - 0.4
        return z / np.sqrt((z**2).mean(1, keepdims=True)) + 0j

    report = conform.transmitter(real_symbols, (1, 8, 8), bandwidth_ratio=0.5)
    assert "each real sent as a symbol of its own" in report.failures[0].says
    assert "every symbol is real" in report.notes[0]


@pytest.mark.parametrize("form", ["complex", "stacked", "pairs"])
def test_torch_transmitters_of_every_form(form):
    def send(images, generator):
        noise = torch.randn(images.shape, generator=generator)
        z = phy.normalise_power(latent(images + 0.1 * noise[:1]))
        if form == "complex":
            return z
        return (
            torch.stack([z.real, z.imag], 1)
            if form == "stacked"
            else torch.view_as_real(z).flatten(1)
        )

    report = conform.transmitter(send, (3, 8, 8), bandwidth_ratio=1 / 2)
    assert report.checks[0].ok
    assert report.took.startswith("torch images; returned ")


def test_a_module_is_called_with_tensors():
    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(64, 32)

        def forward(self, images):
            z = self.layer(images.flatten(1)).unflatten(1, (-1, 2))
            return phy.normalise_power(torch.view_as_complex(z))

    conform.transmitter(Encoder(), (1, 8, 8), bandwidth_ratio=1 / 4).require()


def power_of(signal):
    return (np.abs(signal) ** 2).mean(1, keepdims=True)


def noise_like(signal):
    w = np.random.normal(size=signal.shape) + 1j * np.random.normal(size=signal.shape)
    return w / np.sqrt(power_of(w))


def exact(signal, psr_db):
    return np.sqrt(power_of(signal)) * 10 ** (psr_db / 20) * noise_like(signal)


def over_batch(signal, psr_db):
    return np.sqrt(power_of(signal).mean()) * 10 ** (psr_db / 20) * noise_like(signal)


def half(signal, psr_db):
    return exact(signal, psr_db) / math.sqrt(2)


def amplitude(signal, psr_db):
    return exact(signal, 2 * psr_db)


def added(signal, psr_db):
    return signal + exact(signal, psr_db)


def of_noise(signal, psr_db, noise_variance):
    return math.sqrt(noise_variance) * 10 ** (psr_db / 20) * noise_like(signal)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (over_batch, "exact over the batch only"),
        (half, "-3.01 dB: half the energy"),
        (amplitude, "10^(PSR/10) is a power, and was taken as an amplitude"),
        (added, "return δ alone"),
        (of_noise, "PSR against the noise"),
    ],
)
def test_a_perturbation_off_its_budget_is_named(function, says):
    report = conform.perturbation(function)
    assert len(report.failures) == 2
    assert says in report.failures[0].says


@pytest.mark.parametrize("function", [exact, jamming])
def test_a_perturbation_at_its_budget_conforms(function):
    conform.perturbation(function).require()


@pytest.mark.parametrize("name", ["digits/deepjscc-image", "digits/ibal", "digits/multitask"])
def test_our_trained_links_conform(name):
    link = semveil.load(name, device="cpu")
    ratio = link.recipe.link.latent_dim / 2 / math.prod(link.image_shape)
    conform.transmitter(link.transmit, link.image_shape, bandwidth_ratio=ratio).require()
