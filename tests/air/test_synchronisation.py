"""What finding and synchronising frames costs the pictures of trained links."""

import pytest
import torch

import semveil
import semveil.data
from semveil.channel import Reception
from semveil.link import as_float
from semveil.metrics import psnr_db
from semveil.radio import FrameFormat, HardwareChannel, Header, burst, like, modulate, receive
from semveil.rng import generator

OFDM = FrameFormat()
SINGLE = FrameFormat(carrier="single", oversampling=2, pilot_spacing=4)


def _over_the_air(link, images, frame, **settings):
    """Return Bob's pictures of images that were sent in frames."""
    waveform = link.transmit(images)
    headers = [Header(bytes(8), 1, waveform.shape[1], counter=i) for i in range(len(images))]
    sent = modulate(frame, headers, waveform)
    channel = HardwareChannel(snr_db=10.0, cfo_hz=0.3 * frame.spacing, sro_ppm=20.0, **settings)
    if "taps" in settings:
        # Every frame has taps of its own.
        heard = channel(torch.nn.functional.pad(sent, (0, 500)), frame, generator=generator(0, "a"))
        heard = heard.flatten()
    else:
        heard = channel(burst(sent, gap=500)[None], frame, generator=generator(0, "a"))[0]
    found = receive(frame, heard)
    assert [each.header for each in found] == headers
    parts = [like(each.reception, link.channel) for each in found]
    reception = Reception(
        torch.cat([part.symbols for part in parts]),
        torch.cat([part.csi for part in parts]),
        torch.stack([part.noise_variance.reshape(()) for part in parts]),
        None if parts[0].pilots is None else torch.cat([part.pilots for part in parts]),
    )
    return link.receive(reception, link.counters).images


@pytest.mark.parametrize(
    ("name", "frame", "settings"),
    [
        ("digits/deepjscc-image", OFDM, {}),
        ("digits/deepjscc-image", SINGLE, {}),
        ("digits/residual-jscc", OFDM, {}),
        ("digits/mobilesc", OFDM, {"taps": 8}),
    ],
)
def test_pictures_over_the_air_lose_less_than_a_third_of_a_db(name, frame, settings):
    link = semveil.load(name)
    images = as_float(torch.from_numpy(semveil.data.load("digits").test.x[:150]))
    perfect = link.send(images, snr_db=10.0, generator=generator(0, "b")).images
    heard = _over_the_air(link, images, frame, **settings)
    known, ours = (psnr_db(each, images).mean().item() for each in (perfect, heard))
    assert ours > known - 0.3
