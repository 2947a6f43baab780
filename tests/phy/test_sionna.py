"""The same symbols through Sionna, an independent implementation."""

import numpy as np
import pytest
import torch

from semveil.phy import (
    OFDM,
    Constellation,
    convolve,
    exponential_profile,
    frequency_response,
    multipath_taps,
)
from semveil.rng import generator, normal

pytest.importorskip("sionna.phy")
from sionna.phy import config
from sionna.phy.channel import ApplyTimeChannel, cir_to_time_channel, time_to_ofdm_channel
from sionna.phy.channel.tr38901 import TDL
from sionna.phy.mapping import Constellation as SionnaConstellation
from sionna.phy.mapping import Demapper, Mapper
from sionna.phy.mimo import StreamManagement
from sionna.phy.ofdm import (
    LMMSEChannelEstimator,
    LMMSEEqualizer,
    LSChannelEstimator,
    OFDMDemodulator,
    OFDMModulator,
    PilotPattern,
    ResourceGrid,
    ResourceGridMapper,
)

BATCH, SYMBOLS, N, PREFIX, TAPS = 5, 3, 32, 9, 8
FRAME = OFDM(N, PREFIX, 1)


@pytest.fixture(autouse=True)
def _on_the_cpu():
    before, config.device = config.device, "cpu"
    yield
    config.device = before


def ascending(x):
    """Subcarriers from FFT order to ascending frequency, as Sionna numbers them."""
    return torch.fft.fftshift(x, dim=-1)


def assert_same(ours, theirs):
    assert ours.shape == theirs.shape
    assert (ours - theirs).norm() <= 1e-4 * theirs.norm()


def _data():
    return normal((BATCH, SYMBOLS, N), dtype=torch.complex64, generator=generator(0, "data"))


def _grid(precision=None):
    mask = np.zeros([1, 1, SYMBOLS + 1, N])
    mask[..., 0, :] = 1
    pattern = PilotPattern(mask, ascending(FRAME.pilots()).reshape(1, 1, N), precision=precision)
    return ResourceGrid(
        SYMBOLS + 1,
        N,
        15e3,
        cyclic_prefix_length=PREFIX,
        pilot_pattern=pattern,
        precision=precision,
    )


def test_frame_and_waveform():
    data = _data()
    grid = ResourceGridMapper(_grid())(ascending(data).reshape(BATCH, 1, 1, -1))
    assert_same(ascending(FRAME.insert_pilots(data)), grid[:, 0, 0])
    waveform = OFDMModulator(PREFIX)(grid)[:, 0, 0]
    assert_same(FRAME.transmit(data), waveform)
    received = OFDMDemodulator(N, 0, PREFIX)(waveform)
    assert_same(ascending(FRAME.demodulate(waveform, SYMBOLS + 1)), received)


@pytest.mark.parametrize(("model", "spread"), [("A", 300e-9), ("C", 100e-9), ("E", 300e-9)])
def test_3gpp_tdl_channel(model, spread):
    grid, data = _grid(), _data()
    samples = FRAME.frame_length(SYMBOLS)
    config.seed = 1
    tdl = TDL(model, spread, 3.5e9)
    # a bandwidth at which the delays span several samples; no lags before the first path
    cir = tdl(BATCH, samples + TAPS - 1, 20e6)
    h_time = cir_to_time_channel(20e6, *cir, l_min=0, l_max=TAPS - 1)
    taps = h_time[:, 0, 0, 0, 0, 0]
    waveform = FRAME.transmit(data)
    theirs = ApplyTimeChannel(samples, TAPS)(waveform[:, None, None], h_time)[:, 0, 0]
    ours = convolve(waveform, taps)
    assert_same(ours, theirs)
    received = OFDMDemodulator(N, 0, PREFIX)(theirs)
    assert_same(ascending(FRAME.demodulate(ours, SYMBOLS + 1)), received)
    response = time_to_ofdm_channel(h_time, grid, 0)[:, 0, 0, 0, 0, 0]
    assert_same(ascending(frequency_response(taps, N)), response)


def _received(variance):
    taps = multipath_taps(BATCH, exponential_profile(TAPS, 4.0), generator=generator(1, "taps"))
    y = convolve(FRAME.transmit(_data()), taps)
    noise = normal(tuple(y.shape), dtype=y.dtype, generator=generator(1, "noise"))
    return y + variance**0.5 * noise


def test_least_squares_and_equaliser():
    variance = 0.05
    y = _received(variance)
    ours = FRAME.receive(y, SYMBOLS, variance)
    no = torch.tensor(variance)
    grid = OFDMDemodulator(N, 0, PREFIX)(y[:, None, None])
    h, error = LSChannelEstimator(_grid())(grid, no)
    assert_same(ascending(ours.channel), h[:, 0, 0, 0, 0, 0])
    assert error.mean().item() == pytest.approx(ours.error_variance.item())
    equaliser = LMMSEEqualizer(_grid(), StreamManagement(np.ones([1, 1]), 1))
    symbols, effective = equaliser(grid, h, error, no)
    # Sionna takes the bias of the MMSE estimate out again: z/(1 + effective noise) restores it
    biased = (symbols / (1 + effective))[:, 0, 0].unflatten(1, (SYMBOLS, N))
    assert_same(ascending(ours.symbols), biased)


def test_lmmse_estimate():
    variance, profile = 0.2, exponential_profile(TAPS, 4.0)
    y = _received(variance)
    ours = FRAME.receive(y, SYMBOLS, variance, profile=profile)
    k = torch.arange(N, dtype=torch.float64)
    phase = torch.exp(-2j * torch.pi / N * k.unsqueeze(1) * torch.arange(TAPS))
    covariance = phase @ torch.diag(profile + 0j).to(phase.dtype) @ phase.mH
    still = torch.ones(SYMBOLS + 1, SYMBOLS + 1, dtype=torch.complex128)
    estimator = LMMSEChannelEstimator(_grid("double"), still, covariance, precision="double")
    grid = OFDMDemodulator(N, 0, PREFIX, precision="double")(y[:, None, None].to(torch.complex128))
    h, error = estimator(grid, torch.tensor(variance, dtype=torch.float64))
    assert_same(ascending(ours.channel).to(h.dtype), h[:, 0, 0, 0, 0, -1])
    assert error[..., -1, :].mean().item() == pytest.approx(ours.error_variance.item(), rel=1e-3)


@pytest.mark.parametrize("order", [4, 16, 64, 256, 1024])
def test_qam_points_and_labels(order):
    ours, m = Constellation("qam", order), order.bit_length() - 1
    assert_same(ours.points(), SionnaConstellation("qam", m)())
    bits = torch.randint(0, 2, (3, 40 * m), generator=generator(2)).float()
    assert_same(ours.modulate(bits), Mapper("qam", m)(bits))


def test_bpsk_is_sionnas_pam():
    assert_same(Constellation("qam", 2).points(), SionnaConstellation("pam", 1)())


@pytest.mark.parametrize("order", [4, 16, 64, 256])
@pytest.mark.parametrize(("ours", "theirs"), [("log-map", "app"), ("max-log", "maxlog")])
def test_demapper(order, ours, theirs):
    y = normal((3, 50), dtype=torch.complex64, generator=generator(3))
    noise = torch.tensor([0.05, 0.3, 1.5])
    demapper = Demapper(theirs, "qam", order.bit_length() - 1)
    expected = demapper(y, noise.unsqueeze(1))
    assert_same(Constellation("qam", order).soft(y, noise, method=ours), expected)
