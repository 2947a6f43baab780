"""The channel under OFDM: power, SNR, estimates, and what a perturbation reaches."""

from __future__ import annotations

import math
import warnings

import pytest
import torch

from semveil import phy
from semveil import recipe as recipes
from semveil.channel import OfdmChannel, channel_of
from semveil.errors import SemveilError
from semveil.recipe import OfdmConfig
from semveil.rng import generator, normal


def waveforms(batch=400, uses=384, seed=0):
    noise = normal((batch, uses), dtype=torch.complex64, generator=generator(seed))
    return phy.normalise_power(noise)


def test_at_32_pixels_the_perturbation_has_1134_reals():
    arrival = OfdmChannel(csi="estimated").arrive(waveforms(2), generator(1))
    assert 2 * arrival.signal.shape[1] == 1134


def test_measured_snr_is_nominal():
    channel, z = OfdmChannel(csi="perfect"), waveforms(2000)
    arrival = channel.arrive(z, generator(1))
    reception = channel.hear(arrival, 7.0, generator=generator(2))
    grid = channel.ofdm.demodulate(arrival.signal, 7)[:, 1:].flatten(1)
    noise = (reception.symbols - grid).abs().square().mean()
    assert 10 * math.log10(float(noise)) == pytest.approx(-7.0, abs=0.05)
    # 2000 draws of eight taps: the mean gain is one within four standard errors.
    assert float(arrival.fading.abs().square().sum(1).mean()) == pytest.approx(1.0, abs=0.06)


def test_it_is_the_chain_of_the_waveform_layer():
    channel, z = OfdmChannel(csi="estimated"), waveforms(8)
    arrival = channel.arrive(z, generator(1))
    heard = channel.hear(arrival, 10.0, generator=generator(2))
    whole = channel.ofdm.link(
        z.view(8, 6, 64),
        arrival.fading,
        10.0,
        profile=phy.exponential_profile(8, 1.5),
        generator=generator(2),
    )
    equalised = torch.view_as_complex(heard.features()[:, :-1].unflatten(1, (-1, 2)).contiguous())
    assert torch.allclose(equalised, whole.symbols.flatten(1), atol=1e-5)


def test_without_noise_perfect_knowledge_gives_the_symbols_back():
    channel, z = OfdmChannel(csi="perfect"), waveforms(4)
    heard = channel(z, 100.0, generator=generator(1))
    assert torch.allclose(heard.symbols / heard.csi, z, atol=1e-3)


@pytest.mark.parametrize(("estimator", "least"), [("ls", 0.09), ("lmmse", 0.0)])
def test_the_estimates_error_is_counted_as_noise(estimator, least):
    channel, z = OfdmChannel(csi="estimated", estimator=estimator), waveforms(2000)
    arrival = channel.arrive(z, generator(1))
    heard = channel.hear(arrival, 10.0, generator=generator(2))
    true = phy.frequency_response(arrival.fading, 64)
    error = float((heard.csi[:, :64] - true).abs().square().mean())
    counted = float(heard.noise_variance.mean()) - 0.1
    assert counted == pytest.approx(error, rel=0.05)
    assert error > least


def test_a_perturbation_of_the_pilots_alone_moves_the_estimate_and_every_symbol():
    channel, z = OfdmChannel(csi="estimated"), waveforms(4)
    arrival = channel.arrive(z, generator(1))
    delta = torch.zeros_like(arrival.signal)
    delta[:, :80] = normal((4, 80), dtype=torch.complex64, generator=generator(3))
    clean, struck = (
        channel.hear(arrival, 10.0, generator=generator(2), injected=injected)
        for injected in (None, delta)
    )
    # The data themselves are untouched but for the tail of seven samples.
    assert torch.allclose(clean.symbols[:, 64:], struck.symbols[:, 64:])
    moved = (clean.csi - struck.csi).abs().square().mean()
    assert moved > 0.03
    changed = (clean.features() - struck.features())[:, :-1].abs().amin()
    assert changed > 0


def test_pilots_and_prefixes_are_overhead():
    assert OfdmChannel().overhead_share(384) == pytest.approx(560 / 384 - 1)


def test_peaks_are_limited_and_the_power_is_kept():
    channel, z = OfdmChannel(clip_ratio=1.2), waveforms(16)
    sent = channel.frame(z)
    assert float(sent.abs().square().mean()) == pytest.approx(1.0, abs=1e-4)
    assert float(phy.papr_db(sent).max()) < float(phy.papr_db(OfdmChannel().frame(z)).min())


@pytest.mark.parametrize(
    ("uses", "settings", "message"),
    [
        (100, {}, "100 channel uses do not fill whole OFDM symbols of 64 subcarriers"),
        (0, {}, "0 channel uses do not fill whole OFDM symbols"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(uses, settings, message):
    with pytest.raises(SemveilError, match=message):
        OfdmChannel(**settings).symbols(uses)


def test_no_pilots_leave_nothing_to_estimate_from():
    with pytest.raises(SemveilError, match="estimated CSI needs at least 1"):
        OfdmChannel(csi="estimated", pilot_symbols=0)
    with pytest.raises(SemveilError, match="taps do not fit"):
        OfdmChannel(taps=65)


def test_a_short_prefix_is_warned_of_with_the_interference_that_it_causes():
    with pytest.warns(UserWarning, match="fewer than the channel's 7") as caught:
        OfdmConfig(prefix=2, decay=4.0)
    told = float(str(caught[0].message).split("about ")[1].split(" dB")[0])
    channel = OfdmChannel(csi="perfect", prefix=2, decay=4.0)
    z = waveforms(3000)
    arrival = channel.arrive(z, generator(1))
    heard = channel.hear(arrival, 200.0, generator=generator(2))
    ideal = heard.csi * z
    # Of the middle symbols, which have neighbours on both sides.
    spilt = (heard.symbols - ideal)[:, 64:320].abs().square().mean()
    assert 10 * math.log10(float(spilt)) == pytest.approx(told, abs=0.7)


def test_a_prefix_that_is_long_enough_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OfdmConfig()
        channel_of(recipes.load("mobilesc-cifar10").bob)
