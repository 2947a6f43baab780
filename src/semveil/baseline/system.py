"""An image system without a network: codec and physical layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from semveil.baseline.codec import Codec, Pixels
from semveil.baseline.transceiver import Sign, Transceiver
from semveil.channel import Reception


@dataclass(frozen=True)
class ImageSystem:
    """Images to data symbols and back.

    Every image is coded at the best quality that its channel uses carry. An image whose file does
    not fit at any quality is sent as a message without a payload. There, where the checksum fails,
    and where the payload is not an image, the receiver outputs a fixed image, such as the mean of
    the training images.

    Attributes:
        codec: Source code.
        layer: Channel code and modulation.

    Example:
        >>> system = ImageSystem(Codec("jpeg2000", (1, 16, 16)), Transceiver(256))
        >>> waveform = system.send(np.zeros((2, 1, 16, 16), np.uint8))
        >>> clean = Reception(waveform, torch.ones(2, 1) + 0j, torch.tensor(0.1))
        >>> images, passed = system.receive(clean, np.zeros((1, 16, 16), np.uint8))
        >>> images.shape, passed.tolist()
        ((2, 1, 16, 16), [True, True])
    """

    codec: Codec
    layer: Transceiver

    def send(
        self, images: Pixels, device: torch.device | str = "cpu", sign: Sign | None = None
    ) -> Tensor:
        """Return the symbols of images, complex ``[B, k]``; ``sign`` makes the tags."""
        return self.layer.modulate(self.source(images), device, sign)

    def source(self, images: Pixels) -> list[bytes | None]:
        """Return the payloads of images, uint8 ``[B, C, H, W]``; None where a file does not fit."""
        return self.codec.fit(images, self.layer.payload_bytes)

    def receive(self, reception: Reception, fallback: Pixels) -> tuple[Pixels, Tensor]:
        """Return the images of a reception, and whether each arrived, bool ``[B]``."""
        return self.shown(self.layer.demodulate(reception), fallback)

    def shown(self, payloads: Sequence[bytes | None], fallback: Pixels) -> tuple[Pixels, Tensor]:
        """Return the images that payloads show, and whether each is its own, bool ``[B]``."""
        images = self.codec.read(payloads)
        passed = torch.tensor([image is not None for image in images])
        return np.stack([fallback if image is None else image for image in images]), passed
