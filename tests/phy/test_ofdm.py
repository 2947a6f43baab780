"""OFDM: power, reconstruction through multipath, pilots, and what is refused."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semveil.phy import (
    OFDM,
    average_power,
    awgn,
    convolve,
    exponential_profile,
    frequency_response,
    measured_snr_db,
    multipath_taps,
    normalise_power,
    papr_db,
    zadoff_chu,
    zero_forcing,
)
from semveil.rng import generator, normal


def _data(batch=8, symbols=6, n=64, dtype=torch.complex64):
    z = normal((batch, symbols, n), dtype=dtype, generator=generator(0, "data"))
    return normalise_power(z)


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 40), symbols=st.integers(1, 4), tail=st.integers(0, 5), data=st.data())
def test_the_waveform_gives_its_symbols_back(n, symbols, tail, data):
    ofdm = OFDM(n, data.draw(st.integers(0, n)), 0)
    sent = _data(2, symbols, n, torch.complex128)
    waveform = ofdm.modulate(sent)
    assert waveform.shape == (2, ofdm.frame_length(symbols))
    waveform = torch.nn.functional.pad(waveform, (0, tail))
    torch.testing.assert_close(ofdm.demodulate(waveform, symbols), sent)


def test_power_per_sample_is_power_per_subcarrier():
    waveform = OFDM(64, 0, 0).modulate(_data())
    torch.testing.assert_close(average_power(waveform), torch.ones(8))


def test_power_holds_on_average_with_a_prefix_and_pilots():
    waveform = OFDM(64, 16, 1).transmit(_data(batch=2000))
    assert average_power(waveform).mean().item() == pytest.approx(1, abs=0.005)


def test_noise_per_sample_is_noise_per_subcarrier():
    ofdm, sent = OFDM(64, 16, 1), _data(batch=1, symbols=2000)
    received = awgn(ofdm.modulate(sent), 10.0, generator=generator(1))
    assert measured_snr_db(sent, ofdm.demodulate(received, 2000)).item() == pytest.approx(
        10, abs=0.05
    )


def test_the_prefix_repeats_the_end_of_its_symbol():
    blocks = OFDM(64, 16, 1).transmit(_data()).unflatten(1, (7, 80))
    torch.testing.assert_close(blocks[..., :16], blocks[..., -16:])


@pytest.mark.parametrize("n", [1, 2, 63, 64, 1024])
def test_pilots_have_constant_modulus_in_time_and_frequency(n):
    pilots = zadoff_chu(n)
    torch.testing.assert_close(pilots.abs(), torch.ones(n))
    spectrum = torch.fft.ifft(pilots, norm="ortho").abs()
    torch.testing.assert_close(spectrum, torch.ones(n), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prefix", [7, 16])
def test_a_long_enough_prefix_turns_multipath_into_one_tap_per_subcarrier(prefix):
    ofdm, sent = OFDM(64, prefix, 1), _data(dtype=torch.complex128)
    profile = exponential_profile(8, 4.0, dtype=torch.float64)
    taps = multipath_taps(8, profile, generator=generator(2))
    received = ofdm.demodulate(convolve(ofdm.transmit(sent), taps), 7)
    response = frequency_response(taps, 64)
    torch.testing.assert_close(received[:, 1:], sent * response.unsqueeze(1))
    torch.testing.assert_close(zero_forcing(received[:, 1:], response.unsqueeze(1)), sent)
    # without noise the pilots tell the channel exactly
    got = ofdm.receive(convolve(ofdm.transmit(sent), taps), 6, 0.0)
    torch.testing.assert_close(got.channel, response)
    torch.testing.assert_close(got.symbols, sent)


def test_a_short_prefix_is_warned_about_and_costs_interference():
    sent = _data(batch=64)
    profile = exponential_profile(8, 4.0)
    taps = multipath_taps(64, profile, generator=generator(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        good = OFDM(64, 7).link(sent, taps, 60.0, perfect_csi=True, generator=generator(4))
    with pytest.warns(UserWarning, match="prefix of 6 samples is shorter than the channel's 7"):
        OFDM(64, 6).link(sent, taps, 60.0)
    with pytest.warns(UserWarning, match="interfere"):
        bad = OFDM(64, 0).link(sent, taps, 60.0, perfect_csi=True, generator=generator(4))
    good_error, bad_error = ((r.symbols - sent).abs().square().mean() for r in (good, bad))
    assert bad_error > 30 * good_error


def test_better_channel_knowledge_gives_better_symbols():
    sent, profile = _data(batch=500), exponential_profile(8, 4.0)
    taps = multipath_taps(500, profile, generator=generator(5))

    def error(**csi):
        out = OFDM().link(sent, taps, 5.0, generator=generator(6), **csi)
        return (out.symbols - sent).abs().square().mean()

    assert error(perfect_csi=True) < error(profile=profile) < error()


def test_a_frame_may_have_one_snr_per_image():
    sent, taps = _data(batch=3), torch.ones(3, 1, dtype=torch.complex64)
    snr_db = torch.tensor([0.0, 10.0, 40.0])
    out = OFDM().link(sent, taps, snr_db, perfect_csi=True, generator=generator(7))
    error = (out.symbols - sent).abs().square().mean((1, 2))
    assert error[0] > 3 * error[1] > 9 * error[2]
    ls = OFDM().link(sent, taps, snr_db, generator=generator(7))
    torch.testing.assert_close(ls.error_variance, 10 ** (-snr_db / 10))


def test_more_pilot_symbols_average_the_noise():
    taps = multipath_taps(2000, exponential_profile(4, 2.0), generator=generator(8))
    sent, truth = _data(batch=2000, symbols=1), frequency_response(taps, 64)
    for n_pilots in (1, 4):
        ofdm = OFDM(64, 16, n_pilots)
        out = ofdm.link(sent, taps, 10.0, generator=generator(9))
        error = (out.channel - truth).abs().square().mean().item()
        assert error == pytest.approx(0.1 / n_pilots, rel=0.02)


def test_clipped_frames_have_unit_power_and_low_peaks():
    plain, limited = OFDM().transmit(_data()), OFDM().transmit(_data(), clip_ratio=1.2)
    torch.testing.assert_close(average_power(limited), torch.ones(8))
    assert (papr_db(limited) < papr_db(plain) - 3).all()


def test_frames_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="159 samples are too few for 2 OFDM symbols of 80"):
        OFDM(64, 16).demodulate(torch.zeros(1, 159) + 0j, 2)
    with pytest.raises(ValueError, match="too few for 7 OFDM symbols"):
        OFDM(64, 16, 1).receive(torch.zeros(1, 480) + 0j, 6, 0.1)
    with pytest.raises(ValueError, match="symbols on 60 subcarriers, where 64 exist"):
        OFDM(64).modulate(torch.zeros(1, 2, 60) + 0j)
    with pytest.raises(ValueError, match="no channel estimate"):
        OFDM(64, 16, 0).receive(torch.zeros(1, 480) + 0j, 6, 0.1)
    with pytest.raises(ValueError, match="prefix of 65 samples does not fit"):
        OFDM(64, 65)
    with pytest.raises(ValueError, match="-1 pilot symbols"):
        OFDM(64, 16, -1)


def test_no_pilots_are_needed_with_perfect_csi():
    sent, taps = _data(), torch.full((8, 1), 2j, dtype=torch.complex64)
    out = OFDM(64, 16, 0).link(sent, taps, 80.0, perfect_csi=True)
    torch.testing.assert_close(out.symbols, sent, rtol=1e-3, atol=1e-3)


def test_the_whole_chain_is_differentiable():
    ofdm, profile = OFDM(8, 3, 1), exponential_profile(3, 2.0, dtype=torch.float64)
    sent = _data(2, 2, 8, torch.complex128).requires_grad_()
    taps = multipath_taps(2, profile, generator=generator(10)).requires_grad_()

    def chain(z, h):
        return ofdm.link(z, h, 10.0, profile=profile, generator=generator(11)).symbols

    assert torch.autograd.gradcheck(chain, (sent, taps))
