"""Channels that conform, and a channel for each mistake that people make."""

import math

import numpy as np
import pytest
import torch

from semveil import conform, phy
from semveil.channel import Channel


def sigma(snr_db):
    return 10 ** (-snr_db / 20)


def circular(*shape):
    return (np.random.normal(size=shape) + 1j * np.random.normal(size=shape)) / math.sqrt(2)


def plain(z, snr_db):
    return z + sigma(snr_db) * circular(*z.shape)


def block(z, snr_db, h):
    return plain(h * z, snr_db)


def power(z):
    return (np.abs(z) ** 2).mean(1, keepdims=True)


# Each mistake: the check that finds it, what the message says, and the offset in dB or None.
MISTAKES = {}


def mistake(check, says, offset=None):
    def note(function):
        MISTAKES[function.__name__] = (function, check, says, offset)
        return function

    return note


@mistake("SNR at 10 dB", "noise of a real channel on complex symbols", -3.01)
def noise_per_real(z, snr_db):
    return z + sigma(snr_db) * math.sqrt(2) * circular(*z.shape)


@mistake("SNR at 10 dB", "half the noise", 3.01)
def unit_power_per_real(z, snr_db):
    return z + sigma(snr_db) / math.sqrt(2) * circular(*z.shape)


@mistake("noise is circular", "the noise is real")
def real_noise(z, snr_db):
    return z + sigma(snr_db) * np.random.normal(size=z.shape)


@mistake("SNR at 0 dB", "real noise on complex symbols", 3.01)
def half_real_noise(z, snr_db):
    return z + sigma(snr_db) / math.sqrt(2) * np.random.normal(size=z.shape)


@mistake("SNR at 0 dB", "the SNR of the call is ignored; it is 30.0 dB", 30.0)
def ignores_the_snr(z, snr_db):
    return plain(z, 30.0)


@mistake("SNR at 20 dB", "10^(−SNR/20) instead of 10^(−SNR/10)", -10.0)
def amplitude_for_power(z, snr_db):
    return plain(z, snr_db / 2)


@mistake("SNR at 20 dB", "the SNR is taken as a ratio", -7.0)
def ratio_for_decibels(z, snr_db):
    return z + circular(*z.shape) / math.sqrt(max(snr_db, 1e-6))


@mistake("SNR at 10 dB", "there is no noise")
def no_noise(z, snr_db):
    return z + 0


@mistake("noise is nominal", "noise scaled by the power of the whole batch", 3.98)
def power_of_the_batch(z, snr_db):
    return z + math.sqrt(power(z).mean()) * sigma(snr_db) * circular(*z.shape)


@mistake("noise is nominal", "SNR per image, instead of fixed noise", 6.02)
def snr_per_image(z, snr_db):
    return z + np.sqrt(power(z)) * sigma(snr_db) * circular(*z.shape)


@mistake("noise is nominal", "the waveform is rescaled")
def normalises_its_input(z, snr_db):
    return plain(z / np.sqrt(power(z)), snr_db)


@mistake("noise is fresh in each call", "is a generator seeded inside")
def seeded_inside(z, snr_db):
    source = np.random.default_rng(0)
    w = source.normal(size=z.shape) + 1j * source.normal(size=z.shape)
    return z + sigma(snr_db) * w / math.sqrt(2)


@mistake("noise differs from image to image", "one draw broadcast over the batch")
def one_noise_for_all(z, snr_db):
    return z + sigma(snr_db) * circular(1, z.shape[1])


@mistake("noise is white", "neighbouring symbols share noise")
def coloured(z, snr_db):
    w = circular(len(z), z.shape[1] + 1)
    return z + sigma(snr_db) * (w[:, 1:] + w[:, :-1]) / math.sqrt(2)


@mistake("noise is Gaussian", "not complex Gaussian")
def uniform_noise(z, snr_db):
    w = np.random.uniform(-1, 1, (2, *z.shape)) * math.sqrt(1.5)
    return z + sigma(snr_db) * (w[0] + 1j * w[1])


@mistake("same noise variance in every image", "exactly its nominal energy")
def exact_energy(z, snr_db):
    w = circular(*z.shape)
    return z + sigma(snr_db) * w / np.sqrt(power(w))


@mistake("gain of one", "every symbol is scaled", -6.02)
def attenuated(z, snr_db):
    return plain(0.5 * z, snr_db)


@mistake("uniform phase", "amplitude without phase")
def amplitude_only(z, snr_db):
    return block(z, snr_db, np.abs(circular(len(z), 1)))


@mistake("uniform phase", "h is a real Gaussian number")
def real_fading(z, snr_db):
    return block(z, snr_db, np.random.normal(size=(len(z), 1)))


@mistake("mean gain E|h|²", "unit variance in each real component", 3.01)
def strong_fading(z, snr_db):
    return block(z, snr_db, math.sqrt(2) * circular(len(z), 1))


@mistake("one draw per image", "shared by the whole batch")
def one_fading_per_batch(z, snr_db):
    return block(z, snr_db, circular(1, 1))


@mistake("one draw per image", "images i and i + B/2 share")
def fading_shared_by_halves(z, snr_db):
    h = circular((len(z) + 1) // 2, 1)
    return block(z, snr_db, np.concatenate([h, h])[: len(z)])


@mistake("one coefficient per image", "changes from symbol to symbol")
def fast_fading(z, snr_db):
    return block(z, snr_db, circular(*z.shape))


@mistake("one coefficient per image", "multipath")
def two_paths(z, snr_db):
    h = circular(2, len(z), 1) / math.sqrt(2)
    return plain(h[0] * z + h[1] * np.roll(z, 1, axis=1), snr_db)


@mistake("same noise variance in every image", "erases the deep fades")
def noise_follows_fading(z, snr_db):
    y = circular(len(z), 1) * z
    return y + np.sqrt(power(y)) * sigma(snr_db) * circular(*z.shape)


@mistake("same noise variance in every image", "equalised before it is returned")
def equalised(z, snr_db):
    h = circular(len(z), 1)
    return block(z, snr_db, h) / h


@mistake("Rayleigh distribution", "K-factor of about 6")
def line_of_sight(z, snr_db):
    k = 10**0.6
    sight = np.exp(2j * np.pi * np.random.uniform(size=(len(z), 1)))
    h = math.sqrt(k / (k + 1)) * sight + math.sqrt(1 / (k + 1)) * circular(len(z), 1)
    return block(z, snr_db, h)


@mistake("returned coefficients", "conjugated")
def conjugated(z, snr_db):
    h = circular(len(z), 1)
    return block(z, snr_db, h), h.conj()


@mistake("returned coefficients", "magnitude is right, their phase is not")
def magnitude_for_coefficient(z, snr_db):
    h = circular(len(z), 1)
    return block(z, snr_db, h), np.abs(h)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_and_named(name):
    function, check, says, offset = MISTAKES[name]
    report = conform.channel(function)
    failed = {each.name: each for each in report.failures}
    assert check in failed, report.checks
    assert says in failed[check].says
    if offset is not None:
        assert failed[check].offset_db == pytest.approx(offset, abs=0.15)
    with pytest.raises(AssertionError, match=f"{name} does not conform"):
        report.require()


@pytest.mark.parametrize(
    ("channel", "fading"),
    [
        (Channel("awgn"), "awgn"),
        (Channel("rayleigh"), "rayleigh"),
        (Channel("rician"), "rician"),
        (Channel("rayleigh", csi="estimated"), "rayleigh"),
        (phy.awgn, "auto"),
        (plain, "auto"),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_what_conforms_passes(channel, fading, seed):
    report = conform.channel(channel, fading=fading, seed=seed)
    report.require()
    assert len(report.checks) > 10


def test_sionna_conforms_under_an_adapter():
    sionna = pytest.importorskip("sionna.phy.channel")
    awgn = sionna.AWGN()

    def adapted(z, snr_db):
        return awgn(z, 10 ** (-snr_db / 10))

    report = conform.channel(adapted)
    report.require()
    assert "torch, complex" in report.took

    def per_real(z, snr_db):  # the noise power of one real component
        return awgn(z, 2 * 10 ** (-snr_db / 10))

    assert "-3.0" in conform.channel(per_real).failures[0].says


def real_torch(x, snr_db):
    return x + sigma(snr_db) / math.sqrt(2) * torch.randn(x.shape)


def real_numpy(x, snr_db):
    assert x.shape[1] == 2
    return x + sigma(snr_db) / math.sqrt(2) * np.random.normal(size=x.shape)


def test_pairs_of_reals_conform_and_the_report_says_so():
    report = conform.channel(real_numpy)
    report.require()
    assert report.took.startswith("numpy, real [B, 2, k]")
    report = conform.channel(real_torch, form="real")
    report.require()
    assert report.took.startswith("torch, real [B, 2, k]")


def test_a_function_that_takes_both_forms_is_told_which_one_conforms():
    report = conform.channel(real_torch)
    assert not report.ok
    assert "it conforms when called with torch, real [B, 2, k]" in report.notes[0]


def test_random_generators_are_left_as_they_were():
    np.random.seed(5)
    torch.manual_seed(5)
    wanted = np.random.normal(), torch.rand(1)
    np.random.seed(5)
    torch.manual_seed(5)
    first = conform.channel(plain)
    assert (np.random.normal(), torch.rand(1)) == wanted
    assert conform.channel(plain).checks == first.checks


@pytest.mark.parametrize("check", conform.channel(plain).checks, ids=str)
def test_checks_are_parameters_of_a_test(check):
    check.require()


def test_a_stated_fading_that_is_none_fails():
    assert not conform.channel(plain, fading="rayleigh").ok
    assert not conform.channel(Channel("rayleigh"), fading="awgn").ok
