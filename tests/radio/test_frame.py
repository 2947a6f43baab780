"""The frame: lengths, level, spectrum, and what is refused."""

import math

import pytest
import torch

from semveil.errors import SemveilError
from semveil.phy import OFDM, normalise_power
from semveil.radio import FrameFormat, Header, burst, modulate
from semveil.radio.modulate import preamble
from semveil.rng import generator, normal

FORMATS = [
    FrameFormat(),
    FrameFormat(oversampling=4),
    FrameFormat(guard_dc=False, guard_edges=0, pilot_spacing=16, whitening=False),
    FrameFormat(subcarriers=256, prefix=32, guard_edges=20, level=0.1),
    FrameFormat(carrier="single", oversampling=2, pilot_spacing=4),
    FrameFormat(carrier="single", oversampling=4, pilot_spacing=3, roll_off=0.5),
]


def _symbols(batch=16, k=500):
    z = normal((batch, k), dtype=torch.complex64, generator=generator(0, "symbols"))
    return normalise_power(z)


def _sent(frame, batch=16, k=500):
    headers = [Header(bytes(8), 1, k, counter=i) for i in range(batch)]
    return modulate(frame, headers, _symbols(batch, k))


@pytest.mark.parametrize("frame", FORMATS)
def test_frames_have_the_length_and_level_that_the_format_says(frame):
    sent = _sent(frame)
    assert sent.shape == (16, frame.frame_length(500))
    head, rest = sent.split([frame.preamble_length, sent.shape[1] - frame.preamble_length], 1)
    assert rest.abs().square().mean().sqrt() == pytest.approx(frame.level, rel=0.02)
    assert head.abs().square().mean().sqrt() == pytest.approx(frame.level, rel=0.02)


@pytest.mark.parametrize("frame", FORMATS)
def test_the_preamble_is_two_equal_halves_behind_a_prefix(frame):
    sent = preamble(frame)
    prefix = frame.prefix * frame.oversampling
    first, second = sent[prefix:].split(frame.half_length)
    torch.testing.assert_close(first, second)
    torch.testing.assert_close(sent[:prefix], second[-prefix:])


def test_guards_are_empty_and_pilots_and_data_fill_the_rest():
    frame = FrameFormat(oversampling=2)
    blocks = _sent(frame)[:, frame.preamble_length :].unflatten(1, (-1, frame.block_length))
    power = torch.fft.fft(blocks[..., 32:]).abs().square().mean((0, 1))
    used = torch.zeros(128, dtype=torch.bool)
    used[[k % 128 for k in range(-26, 27) if k]] = True
    assert power[~used].max() < 1e-8 * power[used].min()
    assert power[used].max() < 1.5 * power[used].min()


def test_without_guards_a_block_is_an_ofdm_symbol_of_the_link():
    # Data are on all subcarriers but the pilots, lowest frequency first.
    frame = FrameFormat(guard_dc=False, guard_edges=0, pilot_spacing=32, whitening=False, level=1.0)
    z = _symbols(2, 62 * 3)
    sent = modulate(frame, [Header(bytes(8), 1, 62 * 3)] * 2, z)[:, frame.header_length :]
    grid = torch.fft.fftshift(OFDM(64, 16, 0).demodulate(sent, 3), dim=-1)
    data = [k for k in range(64) if k not in (16, 48)]
    torch.testing.assert_close(grid[..., data].flatten(1), z, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(grid[..., [16, 48]].abs(), torch.ones(2, 3, 2))


@pytest.mark.parametrize("roll_off", [0.25, 0.5])
def test_a_single_carrier_keeps_within_its_band(roll_off):
    frame = FrameFormat(carrier="single", oversampling=4, roll_off=roll_off)
    blocks = _sent(frame)[:, frame.preamble_length :].unflatten(1, (-1, frame.block_length))
    power = torch.fft.fft(blocks[..., 64:]).abs().square().mean((0, 1))
    frequency = torch.fft.fftfreq(256, 0.25).abs()
    assert power[frequency > (1 + roll_off) / 2].max() < 1e-8 * power.max()


def test_whitening_lowers_the_peaks_of_correlated_symbols():
    frame = FrameFormat()
    headers = [Header(bytes(8), 1, 480)]
    z = torch.ones(1, 480, dtype=torch.complex64)
    peak = {
        white: modulate(FrameFormat(whitening=white), headers, z).abs().max().item()
        for white in (True, False)
    }
    assert 20 * math.log10(peak[False] / peak[True]) > 3
    assert frame.whitening


def test_frames_lie_behind_each_other_with_gaps():
    out = burst(torch.ones(3, 4) + 0j, gap=2, lead=1, tail=5)
    assert out.real.tolist() == [0] + [1] * 4 + [0, 0] + [1] * 4 + [0, 0] + [1] * 4 + [0] * 5
    assert burst(torch.ones(2, 2) + 0j, gap=0).real.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"carrier": "fm"}, "carrier"),
        ({"subcarriers": 63}, "subcarriers"),
        ({"subcarriers": 4}, "subcarriers"),
        ({"prefix": 65}, "prefix"),
        ({"pilot_spacing": 40}, "pilot_spacing"),
        ({"pilot_spacing": 1}, "pilot_spacing"),
        ({"carrier": "single", "oversampling": 3}, "oversampling"),
        ({"level": 0.0}, "level"),
        ({"sample_rate": math.nan}, "sample_rate"),
        ({"roll_off": 1.5}, "roll_off"),
        ({"guard_edges": -1}, "guard_edges"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(settings, word):
    with pytest.raises(SemveilError, match=word) as refused:
        FrameFormat(**settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_symbols_that_are_not_finite_are_refused(bad):
    with pytest.raises(SemveilError, match="finite"):
        modulate(FrameFormat(), [Header(bytes(8), 1, 2)], torch.tensor([[1 + 0j, bad]]))


def test_a_header_of_another_length_is_refused():
    with pytest.raises(SemveilError, match="480"):
        modulate(FrameFormat(), [Header(bytes(8), 1, 480)], _symbols(1, 479))
