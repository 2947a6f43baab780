"""Adaptive modulation and coding: the mode with the best image quality at an SNR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semveil.baseline.codec import Codec, Pixels
from semveil.baseline.system import ImageSystem
from semveil.baseline.transceiver import Transceiver
from semveil.channel import Channel
from semveil.errors import SemveilError
from semveil.metrics.psnr import psnr_db
from semveil.rng import Randomness


@dataclass(frozen=True, order=True)
class Mode:
    """A modulation, by the points of its constellation, and a code rate."""

    order: int
    rate: float

    @property
    def modulation(self) -> str:
        """Name of the constellation."""
        return {2: "BPSK", 4: "QPSK"}.get(self.order, f"{self.order}-QAM")

    def __str__(self) -> str:
        return f"{self.modulation}, rate {self.rate:.2g}"


RATES = (1 / 12, 1 / 8, 1 / 5, 1 / 4, 1 / 3, 2 / 5, 1 / 2, 2 / 3, 3 / 4, 5 / 6)
"""Code rates; those below 1/5 repeat bits of the mother code."""
MODES = tuple(Mode(order, rate) for order in (2, 4, 16, 64) for rate in RATES)
"""From the most robust to the fastest, as in the modulation and coding schemes of 5G."""


def systems_of(
    codec: Codec, channel_uses: int, modes: Sequence[Mode] = MODES
) -> dict[Mode, ImageSystem]:
    """Return a system for every mode that leaves a byte for an image in the channel uses."""
    found = {}
    for mode in modes:
        try:
            layer = Transceiver(channel_uses, mode.order, mode.rate)
        except SemveilError:
            continue
        found[mode] = ImageSystem(codec, layer)
    return found


def quality(
    system: ImageSystem,
    images: Pixels,
    channel: Channel,
    snr_db: float,
    fallback: Pixels,
    source: Randomness,
) -> Tensor:
    """Return the PSNR of every image, with the fallback for those that do not fit or get lost."""
    received, _ = system.receive(channel(system.send(images), snr_db, generator=source), fallback)
    shown, sent = (torch.from_numpy(each) / 255 for each in (received, images))
    return psnr_db(shown, sent)


def best(qualities: Mapping[Mode, Tensor]) -> Mode:
    """Return the mode with the highest mean PSNR, of equal ones the more robust."""
    return max(sorted(qualities), key=lambda mode: float(qualities[mode].mean()))
