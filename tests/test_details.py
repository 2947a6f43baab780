"""What an eavesdropper over OFDM can read beside the equalised symbols."""

import torch

from semveil.channel import Channel, OfdmChannel
from semveil.rng import generator, normal

WAVEFORM = normal((3, 32), dtype=torch.complex64, generator=generator(0))


def test_details_are_symbols_their_reliabilities_pilots_and_the_mean():
    channel = OfdmChannel(csi="estimated", subcarriers=16, prefix=8)
    heard = channel(WAVEFORM, 5.0, generator=generator(1))
    features, details = heard.features(), heard.details()
    symbols, each, pilots, mean = details.split([64, 32, 32, 1], dim=1)
    assert torch.equal(torch.cat([symbols, mean], 1), features)
    gain = heard.csi.abs().square()
    torch.testing.assert_close(each, gain / (gain + heard.noise_variance))
    received = torch.view_as_complex(pilots.unflatten(1, (1, 16, 2)).contiguous())
    assert torch.equal(received, heard.pilots)


def test_one_coefficient_for_all_symbols_has_no_further_details():
    heard = Channel("rayleigh")(WAVEFORM, 5.0, generator=generator(2))
    assert torch.equal(heard.details(), heard.features())
