"""Hardware limits against their closed forms."""

import math

import pytest
import torch

from semveil.errors import SemveilError
from semveil.radio import FrameFormat, HardwareChannel
from semveil.radio.impairments import resample
from semveil.rng import generator, normal

FRAME = FrameFormat(sample_rate=1e6)
SINGLE = FrameFormat(carrier="single", oversampling=4)


def _tone(cycles, n=4000):
    return torch.exp(2j * torch.pi * cycles * torch.arange(n, dtype=torch.float64))


def _noise(batch=1, n=100_000, scale=0.25):
    return scale * normal((batch, n), dtype=torch.complex64, generator=generator(0, "samples"))


def test_nothing_is_changed_by_default():
    x = _noise()
    torch.testing.assert_close(HardwareChannel()(x, FRAME), x)


@pytest.mark.parametrize(("frame", "occupied"), [(FRAME, 52 / 64), (SINGLE, 1 / 4)])
def test_noise_has_the_snr_over_the_bandwidth_of_the_signal(frame, occupied):
    silent = torch.zeros(1, 200_000, dtype=torch.complex64)
    noise = HardwareChannel(snr_db=7.0)(silent, frame, generator=generator(1))
    measured = frame.level**2 / (noise.abs().square().mean() * occupied)
    assert 10 * math.log10(measured) == pytest.approx(7, abs=0.05)


def test_a_frequency_offset_turns_at_its_rate():
    sent = torch.ones(1, 3000, dtype=torch.complex64)
    heard = HardwareChannel(cfo_hz=1250.0)(sent, FRAME)
    torch.testing.assert_close(
        heard[0].to(torch.complex128), _tone(1.25e-3, 3000), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(("ppm", "delay"), [(40.0, 0.0), (-500.0, 0.0), (0.0, 2.5), (100.0, 3.25)])
def test_clock_offset_and_delay_move_a_tone_in_time(ppm, delay):
    cycles = 0.2
    heard = HardwareChannel(sro_ppm=ppm, delay=delay)(_tone(cycles, 40_000)[None], FRAME)[0]
    place = (torch.arange(len(heard), dtype=torch.float64) - delay) * (1 + ppm * 1e-6)
    expected = torch.exp(2j * torch.pi * cycles * place)
    torch.testing.assert_close(
        heard[50:-50].to(torch.complex128), expected[50:-50], atol=1e-3, rtol=0
    )
    assert len(heard) == math.ceil(40_000 / (1 + ppm * 1e-6) + delay)


def test_resampling_does_not_depend_on_its_chunks():
    x = _noise(2, 3000)
    torch.testing.assert_close(resample(x, 1.00004, 0.3, chunk=100), resample(x, 1.00004, 0.3))


def test_phase_noise_is_a_random_walk_of_its_linewidth():
    sent = torch.ones(4, 100_000, dtype=torch.complex64)
    heard = HardwareChannel(phase_noise=100.0)(sent, FRAME, generator=generator(2))
    steps = (heard[:, 1:] * heard[:, :-1].conj()).angle()
    assert steps.var().item() == pytest.approx(2 * math.pi * 100 / 1e6, rel=0.02)
    torch.testing.assert_close(heard.abs(), torch.ones(4, 100_000))


def test_peaks_are_limited_relative_to_the_level_and_phases_kept():
    x = _noise()
    heard = HardwareChannel(clip_ratio=1.5)(x, FRAME)
    assert heard.abs().max().item() == pytest.approx(1.5 * 0.25, rel=1e-5)
    torch.testing.assert_close(heard.angle(), x.angle(), atol=1e-5, rtol=0)
    quiet = x.abs() < 1.5 * 0.25
    torch.testing.assert_close(heard[quiet], x[quiet])


@pytest.mark.parametrize(("gain_db", "degrees"), [(1.0, 0.0), (0.0, 3.0), (0.5, -2.0)])
def test_iq_imbalance_leaves_the_image_of_the_textbook(gain_db, degrees):
    heard = HardwareChannel(iq_gain_db=gain_db, iq_phase_deg=degrees)(_tone(0.125)[None], FRAME)[
        0
    ].to(torch.complex128)
    image = (heard * _tone(0.125)).mean().abs() / (heard * _tone(-0.125)).mean().abs()
    gain, phase = 10 ** (gain_db / 20), math.radians(degrees)
    # Image rejection ratio, e.g. Razavi, RF Microelectronics.
    expected = (gain**2 - 2 * gain * math.cos(phase) + 1) / (
        gain**2 + 2 * gain * math.cos(phase) + 1
    )
    assert image.item() ** 2 == pytest.approx(expected, rel=1e-3)


def test_a_dc_offset_is_relative_to_the_level():
    heard = HardwareChannel(dc_offset=0.2)(torch.zeros(1, 10) + 0j, FRAME)
    torch.testing.assert_close(heard, torch.full((1, 10), 0.05 + 0.05j))


@pytest.mark.parametrize("bits", [12, 16])
def test_quantisation_leaves_an_error_of_a_twelfth_of_a_step(bits):
    x = _noise(scale=0.2)
    heard = HardwareChannel(bits=bits)(x, FRAME)
    step = 2.0 ** (1 - bits)
    inside = (x.real.abs() < 0.99) & (x.imag.abs() < 0.99)
    error = torch.view_as_real((heard - x)[inside]).double()
    assert error.abs().max() <= step / 2 * 1.01
    assert error.square().mean().item() == pytest.approx(step**2 / 12, rel=0.02)
    steps = torch.view_as_real(heard).double() / step
    torch.testing.assert_close(steps, steps.round(), atol=1e-6, rtol=0)


def test_a_converter_saturates():
    heard = HardwareChannel(bits=8)(torch.tensor([[3 - 3j]]), FRAME)
    torch.testing.assert_close(heard, torch.tensor([[127 / 128 - 1j]]))


def test_taps_have_unit_power_on_average_and_lie_a_chip_apart():
    sent = torch.zeros(4000, 8, dtype=torch.complex64)
    sent[:, 0] = 1
    heard = HardwareChannel(taps=3, decay=2.0)(sent, SINGLE, generator=generator(3))
    power = heard.abs().square().mean(0)
    assert heard.shape[1] == 8 + 2 * 4
    assert power.sum().item() == pytest.approx(1, abs=0.05)
    assert (power > 0).nonzero().squeeze(1).tolist() == [0, 4, 8]
    assert (power[4] / power[0]).item() == pytest.approx(math.exp(-1 / 2), rel=0.1)


def test_the_same_generator_gives_the_same_samples():
    channel = HardwareChannel(snr_db=5.0, taps=4, phase_noise=10.0)
    first, second = (channel(_noise(2, 100), FRAME, generator=generator(4)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"snr_db": math.nan}, "snr_db"),
        ({"taps": -1}, "taps"),
        ({"delay": -1.0}, "delay"),
        ({"sro_ppm": 5000.0}, "sro_ppm"),
        ({"bits": 1}, "bits"),
        ({"clip_ratio": 0.0}, "clip_ratio"),
        ({"phase_noise": -1.0}, "phase_noise"),
        ({"decay": 0.0}, "decay"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, word):
    with pytest.raises(SemveilError, match=word) as refused:
        HardwareChannel(**settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("frame", [FRAME, SINGLE])
def test_a_stream_leaves_the_channel_alike_however_it_is_cut(frame, monkeypatch):
    monkeypatch.setattr("semveil.radio.impairments._STREAMED", 700)
    channel = HardwareChannel(
        snr_db=10.0, cfo_hz=333.0, sro_ppm=-80.0, taps=5, delay=900.4, phase_noise=50.0,
        clip_ratio=2.0, iq_gain_db=0.5, dc_offset=0.1, bits=12,
    )  # fmt: skip
    x = _noise(n=5000)[0]
    found = []
    for cuts in ([5000], [1] * 10 + [4990], [700] * 7 + [100], [333] * 15 + [5]):
        passed = channel.stream(x.split(cuts), frame, generator=generator(3))
        found.append(torch.cat(list(passed)))
        assert len(found[-1]) == channel.length(5000, frame)
    assert all(torch.equal(each, found[0]) for each in found)


def test_a_stream_without_randomness_is_the_whole_at_once(monkeypatch):
    whole = HardwareChannel(cfo_hz=333.0, sro_ppm=90.0, delay=1200.7)
    x = _noise(n=4000)
    monkeypatch.setattr("semveil.radio.impairments._STREAMED", 500)
    for channel in (whole, HardwareChannel(sro_ppm=-1000.0), HardwareChannel(delay=3.0)):
        passed = torch.cat(list(channel.stream(x[0].split(123), FRAME)))
        torch.testing.assert_close(passed, channel(x, FRAME)[0], rtol=0, atol=1e-6)
    # Multipath of one draw is a convolution over the seams too.
    spread = HardwareChannel(taps=100)
    passed = torch.cat(list(spread.stream(x[0].split(123), FRAME, generator=generator(4))))
    expected = spread(x, FRAME, generator=generator(4))[0]
    torch.testing.assert_close(passed, expected, rtol=0, atol=1e-5)
    assert len(list(spread.stream([], FRAME))) == 1


@pytest.mark.parametrize("setting", [{"delay": 1e12}, {"taps": 100_000}])
def test_a_channel_that_never_ends_is_refused(setting):
    with pytest.raises(SemveilError, match="is more than"):
        HardwareChannel(**setting)
