"""The search: the distribution of its decision in noise, and offsets that it resolves."""

import pytest
import torch
from scipy import stats

from semveil.phy.broadcast import squared_magnitude
from semveil.radio import FrameFormat, HardwareChannel
from semveil.radio.modulate import preamble
from semveil.radio.search import Search
from semveil.rng import generator, normal

OFDM = FrameFormat()
SINGLE = FrameFormat(carrier="single", oversampling=2)


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
def test_the_share_of_noise_of_the_band_is_beta_distributed(frame):
    search = Search(frame, 1.5, 1e-9)
    length, count = 2 * frame.half_length, 3000
    band = frame.bins(2 * frame.preamble * frame.subcarriers)
    spectrum = torch.zeros(count, length, dtype=torch.complex64)
    noise = normal((count, len(band)), dtype=torch.complex64, generator=generator(0, "band"))
    spectrum[:, band % length] = noise
    heard = torch.fft.ifft(spectrum)
    share = squared_magnitude(heard @ search._basis.conj()).sum(1) / squared_magnitude(heard).sum(1)
    law = stats.beta(search.dimensions, len(band) - search.dimensions)
    assert stats.kstest(share.numpy(), law.cdf).pvalue > 0.01


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
@pytest.mark.parametrize("offset", [-1.49, -0.9, -0.13, 0.0, 0.37, 1.2])
def test_offsets_beyond_the_halves_are_resolved(frame, offset):
    stream = torch.nn.functional.pad(preamble(frame), (2000, 2000))[None]
    channel = HardwareChannel(snr_db=5.0, cfo_hz=offset * frame.spacing)
    found = Search(frame, 1.5, 1e-9)(channel(stream, frame, generator=generator(1))[0])
    assert len(found.start) == 1
    assert abs(int(found.start) - 2000) <= 2
    assert float(found.cfo) * frame.sample_rate / frame.spacing == pytest.approx(offset, abs=0.02)


def test_a_tone_is_no_preamble():
    place = torch.arange(60_000, dtype=torch.float64)
    tone = torch.exp(2j * torch.pi * 0.1234 * place).to(torch.complex64)
    noise = normal((60_000,), dtype=torch.complex64, generator=generator(2))
    for level in (0.01, 0.1, 1.0):
        assert len(Search(OFDM, 1.5, 1e-9)(tone + level * noise).start) == 0
