"""The classical link: source code, channel code, modulation; Bob classifies the decoded image."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from semveil.baseline.codec import Pixels
from semveil.baseline.system import ImageSystem
from semveil.channel import Channel, Reception
from semveil.errors import SemveilError
from semveil.link import Answer, Disturb, Exchange, LinkNetwork, as_float
from semveil.protect.tag import FrameTag
from semveil.rng import Randomness


def as_pixels(images: Tensor) -> Pixels:
    """Return images, float in [0, 1], as uint8 of the same shape."""
    pixels: Pixels = (images.detach() * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels


class ClassicalLink(LinkNetwork):
    """Alice compresses and codes; Bob decodes, decompresses and classifies.

    Where the checksum fails, or the image did not fit, Bob outputs the mean of the training images.
    Only the classifier is learned; it is trained on compressed images, which Bob gets whenever the
    checksum holds. With ``tag_bits`` Bob also rejects frames whose keyed tag does not hold. The
    link has no gradient, so gradient attacks do not apply.
    """

    digital = True
    differentiable = False
    costly = True
    # QAM has unit power on average over its points, not over those of one message.
    fixed_gain = True
    fallback: Tensor

    def __init__(self, system: ImageSystem, classifier: nn.Module, channel: Channel) -> None:
        super().__init__(nn.Identity(), classifier, None, channel)
        self.system = system
        self.register_buffer("fallback", torch.full(system.codec.shape, 128, dtype=torch.uint8))

    @property
    def tag_bits(self) -> int:  # type: ignore[override]
        """Bits of the keyed tag in every frame; none if zero."""
        return self.system.layer.tag_bits

    def transmit(self, images: Tensor, source: Randomness = None) -> Tensor:
        """Return Alice's data symbols, complex ``[B, k]``, for images ``[B, C, H, W]``.

        A tag is sent blank: :meth:`transmit_signed` makes it.
        """
        return self.system.send(as_pixels(images), images.device)

    def transmit_signed(self, images: Tensor, messages: Tensor, tag: FrameTag) -> Tensor:
        """Return the same with tags; see :meth:`LinkNetwork.transmit_signed`."""
        counters = messages.tolist()
        return self.system.send(
            as_pixels(images),
            images.device,
            lambda row, content: tag.sign(counters[row], content),
        )

    def expected(self, images: Tensor) -> Tensor:
        """Return the same as :meth:`transmit`: there is no randomness, and no gradient."""
        return self.transmit(images)

    def decode(self, features: Tensor) -> Answer:
        """Raise: a channel code is decoded with each symbol's own noise, see :meth:`receive`."""
        raise ValueError("the classical link decodes receptions, not their features")

    def receive(self, reception: Reception) -> Answer:
        """Return Bob's answer to a reception, tags untested."""
        images, arrived = self.system.receive(reception, self.fallback.cpu().numpy())
        return self._answer(images, ~arrived, reception.symbols.device)

    def receive_signed(self, reception: Reception, messages: Tensor, tag: FrameTag) -> Answer:
        """Return the same for frames whose tags hold; the others are lost."""
        layer, device = self.system.layer, reception.symbols.device
        pairs = zip(messages.tolist(), layer.frames(reception), strict=True)
        frames = [frame if frame and tag.verify(each, *frame) else None for each, frame in pairs]
        payloads = [frame and layer.payload(frame) for frame in frames]
        images, arrived = self.system.shown(payloads, self.fallback.cpu().numpy())
        accepted = torch.tensor([frame is not None for frame in frames], device=device)
        return replace(self._answer(images, ~arrived, device), accepted=accepted)

    def _answer(self, pixels: Pixels, lost: Tensor, device: torch.device) -> Answer:
        images = as_float(torch.from_numpy(pixels).to(device))
        return Answer(self.classifier(images), images, lost)

    def exchange(
        self,
        images: Tensor,
        snr_db: Tensor | float,
        source: Randomness,
        disturb: Disturb | None = None,
    ) -> Exchange:
        """Send images; Bob's answer is that of a checksum that holds, whatever the noise.

        Raises:
            SemveilError: If none of the images fits.
        """
        payloads = self.system.source(as_pixels(images))
        seen, fitted = self.system.shown(payloads, self.fallback.cpu().numpy())
        if not fitted.any():
            raise SemveilError(
                f"classical: no image fits {self.system.layer.payload_bytes} bytes at "
                f"{self.system.codec.name}'s lowest quality; raise link.latent_dim, "
                "classical.order or classical.rate"
            )
        waveform = self.system.layer.modulate(payloads, images.device)
        return Exchange(waveform, self._answer(seen, ~fitted, images.device))

    @torch.no_grad()
    def calibrate(self, images: Tensor) -> None:
        """Set the image for a failed checksum: the mean of images uint8 ``[N, C, H, W]``."""
        self.fallback.copy_((images.sum(0, dtype=torch.int64) / len(images)).round())
