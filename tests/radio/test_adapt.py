"""Receptions from the air look like those of the channels that networks were trained on."""

import pytest
import torch

from semveil.channel import Channel, OfdmChannel, Reception
from semveil.errors import SemveilError
from semveil.phy import frequency_response, normalise_power, zadoff_chu
from semveil.radio import FrameFormat, HardwareChannel, Header, like, modulate, receive
from semveil.rng import generator, normal

OFDM = FrameFormat(prefix=16)
SINGLE = FrameFormat(carrier="single", oversampling=2)


def _received(frame, taps=None, snr_db=25.0, count=4, k=384):
    z = normalise_power(normal((count, k), dtype=torch.complex64, generator=generator(0, "z")))
    sent = modulate(frame, [Header(bytes(8), 1, k, counter=i) for i in range(count)], z)
    if taps is not None:
        sent = torch.nn.functional.pad(sent, (len(taps) - 1, 0)).unfold(
            1, len(taps), 1
        ) @ taps.flip(0)
    stream = torch.nn.functional.pad(sent, (200, 200)).flatten()
    heard = HardwareChannel(snr_db=snr_db)(stream[None], frame, generator=generator(1))
    return z, [each.reception for each in receive(frame, heard[0])]


@pytest.mark.parametrize("frame", [OFDM, SINGLE])
@pytest.mark.parametrize("scaled", [False, True])
def test_flat_receivers_get_one_coefficient_per_image(frame, scaled):
    z, (heard, *_) = _received(frame)
    trained = Channel()(z[:1], 25.0, generator=generator(2))
    adapted = like(heard, Channel())
    assert adapted.csi.shape == (1, 1)
    assert adapted.details(scaled).shape == trained.details(scaled).shape
    torch.testing.assert_close(
        adapted.features()[:, :-1], torch.view_as_real(z[:1]).flatten(1), atol=0.3, rtol=0
    )


def test_the_noise_of_equalised_symbols_is_what_is_stated():
    taps = torch.tensor([0.8, 0.5j, 0.3 + 0.1j]).to(torch.complex64)
    z, heard = _received(OFDM, taps, snr_db=12.0, count=24)
    for sent, each in zip(z, heard, strict=True):
        adapted = like(each, Channel())
        error = (adapted.symbols[0] - sent).abs().square().mean()
        # The bias of single symbols counts as noise too.
        assert error.item() == pytest.approx(adapted.noise_variance.item(), rel=0.35)


@pytest.mark.parametrize("subcarriers", [64, 128, 32])
def test_ofdm_receivers_get_the_pilots_of_their_channel(subcarriers):
    taps = torch.tensor([0.8, 0.5j, 0.3 + 0.1j]).to(torch.complex64)
    channel = OfdmChannel(subcarriers=subcarriers, csi="estimated", pilot_symbols=2)
    z, (heard, *_) = _received(OFDM, taps)
    adapted = like(heard, channel)
    trained = channel(z[:1], 25.0, generator=generator(2))
    assert adapted.details().shape == trained.details().shape
    response = adapted.pilots[0, 0] / zadoff_chu(subcarriers)
    expected = frequency_response(taps[None], subcarriers)[0]
    # Up to a constant phase and gain, which the estimate does not tell from the channel.
    ratio = (response * expected.conj()).sum() / expected.abs().square().sum()
    error = (response / ratio - expected).abs().square().mean() / expected.abs().square().mean()
    assert error < 0.01


def test_a_single_carrier_has_no_pilots_for_ofdm_receivers():
    heard = Reception(torch.ones(1, 64) + 0j, torch.ones(1, 1) + 0j, torch.tensor(0.1))
    with pytest.raises(SemveilError, match="OFDM"):
        like(heard, OfdmChannel())
