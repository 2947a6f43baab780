"""The numpy reference of exported links against the package: keys, power, OFDM."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semveil import phy
from semveil.channel import OfdmChannel
from semveil.graphs import reference
from semveil.protect.keystream import keystream
from semveil.protect.normalise import Blocks, normalise_blocks
from semveil.protect.rotation import Rotation
from semveil.protect.shuffle import Shuffle
from semveil.rng import generator, normal

KEY = bytes(range(32))
MESSAGES = torch.tensor([0, 5, 2**33 + 1])


def test_the_keystream_is_the_packages() -> None:
    for length in (1, 64, 100):
        wanted = keystream(KEY, MESSAGES, length).numpy()
        assert (reference.keystream(KEY, MESSAGES.numpy(), length) == wanted).all()


@pytest.mark.parametrize(
    ("form", "blocks"),
    [
        ("blocks", Blocks(2)),
        ("blocks", Blocks(4, stride=2)),
        ("blocks", Blocks(8)),
        ("haar", Blocks(16)),
    ],
)
def test_rotations_are_the_packages_and_turn_back(form: str, blocks: Blocks) -> None:
    waveform = normalise_blocks(normal((3, 32), generator=generator(0)), blocks)
    rotation = Rotation(KEY, form, blocks)  # type: ignore[arg-type]
    wanted = rotation.encrypt(waveform, MESSAGES).numpy()
    how = {"block": blocks.size, "stride": blocks.stride, "form": form}
    sent = reference.rotate(waveform.numpy(), KEY, MESSAGES.numpy(), **how)  # type: ignore[arg-type]
    assert np.abs(sent - wanted).max() < 2e-6
    back = reference.rotate(sent, KEY, MESSAGES.numpy(), back=True, **how)  # type: ignore[arg-type]
    assert np.abs(back - waveform.numpy()).max() < 2e-6


@pytest.mark.parametrize("fresh", [True, False])
def test_permutations_are_the_packages_and_turn_back(fresh: bool) -> None:
    waveform = phy.normalise_power(normal((3, 15), dtype=torch.complex64, generator=generator(1)))
    sent = reference.shuffle(waveform.numpy(), KEY, MESSAGES.numpy(), fresh=fresh)
    assert (sent == Shuffle(KEY, fresh).encrypt(waveform, MESSAGES).numpy()).all()
    back = reference.shuffle(sent, KEY, MESSAGES.numpy(), back=True, fresh=fresh)
    assert (back == waveform.numpy()).all()


def test_power_is_one_per_image_and_per_block() -> None:
    drawn = normal((3, 32), generator=generator(2))
    symbols = torch.view_as_complex(drawn.unflatten(1, (-1, 2)))
    wanted = phy.normalise_power(symbols).numpy()
    assert np.abs(reference.normalise_power(symbols.numpy()) - wanted).max() < 1e-6
    wanted = normalise_blocks(drawn, Blocks(4, stride=2)).numpy()
    assert np.abs(reference.normalise_power(symbols.numpy(), 4, 2) - wanted).max() < 1e-6


@pytest.mark.parametrize("estimator", ["lmmse", "ls"])
def test_frames_and_receivers_over_ofdm_are_the_packages(estimator: str) -> None:
    channel = OfdmChannel(csi="estimated", estimator=estimator)  # type: ignore[arg-type]
    waveform = phy.normalise_power(normal((3, 384), dtype=torch.complex64, generator=generator(3)))
    samples = reference.ofdm_modulate(waveform.numpy(), 64, 16, 1)
    assert np.abs(samples - channel.frame(waveform).numpy()).max() < 1e-5
    arrival = channel.arrive(waveform, generator(4))
    received = phy.awgn(arrival.signal, 10.0, generator=generator(5))
    wanted = channel.hear(arrival, 10.0, generator=generator(5)).features().numpy()
    profile = phy.exponential_profile(8, 1.5).numpy() if estimator == "lmmse" else None
    symbols, reliability = reference.ofdm_demodulate(
        received.numpy(), 384, 64, 16, 1, variance=0.1, profile=profile
    )
    found = np.stack([symbols.real, symbols.imag], 2).reshape(3, -1)
    assert np.abs(found - wanted[:, :-1]).max() < 1e-4
    assert np.abs(reliability - wanted[:, -1:]).max() < 1e-5
