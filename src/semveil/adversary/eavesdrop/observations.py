"""Eve's observations: her receptions of her own images, and nothing of Alice or Bob."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy

import torch
from torch import Tensor
from torch.nn import functional

from semveil.channel import Channel, Reception
from semveil.link import as_float
from semveil.rng import generator, stream

Transmit = Callable[[Tensor, torch.Generator], Tensor]
"""Images float ``[B, C, H, W]`` in [0, 1] and a generator → waveform complex ``[B, k]``."""

Send = Callable[[Tensor, torch.Generator, Tensor], Tensor]
"""The same, with the numbers of the messages, int64 ``[B]``, that Alice and Bob both know."""

_BATCH = 500
# How far images are turned (radians), scaled and slanted at most.
_TURN, _SCALE, _SLANT = 0.16, 0.08, 0.12
# Where only the images' places differ, more repetitions teach nothing new.
_MOST_SHIFTS = 16
# Bytes of waveforms that are kept for the next eavesdropper instead of being made again.
_MOST_KEPT = 1 << 29
# Messages of different recordings never share a number, and with it a key.
_SERIES, _MOST_SERIES = 1 << 40, 1024
FIRST_FREE_MESSAGE = _MOST_SERIES * _SERIES
"""No recording uses this message counter or a higher one."""


def _number_of(purpose: str) -> int:
    """Return the series of a purpose; the three purposes of every audit never share one."""
    known = ("test", "adversary", "validation")
    if purpose in known:
        return known.index(purpose)
    return len(known) + stream(0, "messages", purpose) % (_MOST_SERIES - len(known))


def numbered(transmit: Transmit) -> Send:
    """Return a transmitter that ignores message numbers, with an argument for them."""
    return lambda images, source, messages: transmit(images, source)


class Recording:
    """Waveforms of a set of images, received over Eve's channel again and again.

    Args:
        transmit: The system, with the numbers of the messages.
        images: uint8 ``[N, C, H, W]``.
        labels: int ``[N]``.
        purpose: Such as ``test``. Recordings for different purposes share no draw of the system's
            randomness: Eve is tested under other keys and other noise than she trained on.
        seed: Seed of the system's randomness.
        device: Where everything is computed.

    Attributes:
        waveforms: What was sent, complex ``[N, k]``.
        randomised: Whether the same images give another waveform when they are sent again.
    """

    def __init__(
        self,
        transmit: Send,
        images: Tensor,
        labels: Tensor,
        *,
        purpose: str,
        seed: int,
        device: torch.device,
    ) -> None:
        self.images, self.labels = images.to(device), labels.to(device)
        self.device = device
        self._send, self._scope = transmit, (seed, "system", purpose)
        self._first, self._take = _number_of(purpose) * _SERIES, 0
        self._kept: dict[tuple[int, int], Tensor] = {}
        self.waveforms = self._transmit(self.images)
        # The second take of the first images only, to see whether it differs.
        again = self._again(1)._transmit(self.images[:_BATCH])
        self.randomised = not torch.equal(self.waveforms[:_BATCH], again)

    def _again(self, take: int) -> Recording:
        found = copy(self)
        found._take = take
        return found

    @torch.no_grad()
    def _transmit(self, images: Tensor) -> Tensor:
        parts = [
            self._send(
                as_float(images[rows]),
                generator(*self._scope, self._take, part, device=self.device),
                self.messages(rows),
            )
            for part, rows in enumerate(torch.arange(len(images), device=self.device).split(_BATCH))
        ]
        return torch.cat(parts).to(torch.complex64)

    def __len__(self) -> int:
        return len(self.images)

    def messages(self, rows: Tensor) -> Tensor:
        """Return the numbers of the messages that carried some images, int64 ``[B]``."""
        return self._first + self._take * len(self.images) + rows

    def resent(self, number: int, shift: int = 0) -> Recording:
        """Return a recording of the same images sent once more; itself where nothing would differ.

        Args:
            number: Which repetition; each has randomness and message numbers of its own.
            shift: Pixels by which an image is moved at most, in every direction; see :func:`moved`.
        """
        if not (self.randomised or shift):
            return self
        if not self.randomised:
            number %= _MOST_SHIFTS
        found = self._again(2 + number)
        if shift:
            source = generator(*self._scope, "shift", number, device=self.device)
            found.images = moved(self.images, shift, source)
        kept = self._kept.get((number, shift))
        found.waveforms = found._transmit(found.images) if kept is None else kept
        if kept is None and self.waveforms.nbytes * (len(self._kept) + 1) <= _MOST_KEPT:
            self._kept[number, shift] = found.waveforms
        return found


def moved(images: Tensor, shift: int, source: torch.Generator) -> Tensor:
    """Return half of the images moved, turned, scaled and slanted, and the others as they are.

    Each is moved by up to some pixels in a direction of its own, turned by up to 9°, scaled by up
    to 8 % and slanted by up to 12 %.

    Args:
        images: uint8 ``[N, C, H, W]``.
        shift: Pixels at most, in each direction; what comes in repeats the edge.
        source: Randomness.

    Example:
        >>> moved(torch.full((2, 1, 4, 4), 7, dtype=torch.uint8), 1, generator(0)).unique()
        tensor([7], dtype=torch.uint8)
    """
    parts = [_moved(part, shift, source) for part in images.split(_BATCH)]
    return torch.cat(parts)


def _moved(images: Tensor, shift: int, source: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    turn, slant, wider, higher, across, down, some = (
        2 * torch.rand(7, count, generator=source, device=images.device) - 1
    )
    sine, cosine = (_TURN * turn).sin(), (_TURN * turn).cos()
    wider, higher, slant = 1 + _SCALE * wider, 1 + _SCALE * higher, _SLANT * slant
    rows = [
        torch.stack([cosine * wider, slant - sine * higher, 2 * shift / width * across], dim=1),
        torch.stack([sine * wider, cosine * higher, 2 * shift / height * down], dim=1),
    ]
    places = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    found = functional.grid_sample(
        images.float(), places, mode="bicubic", padding_mode="border", align_corners=False
    )
    found = found.clamp(0, 255).round().to(images.dtype)
    return torch.where((some < 0)[:, None, None, None], found, images)


class Intercepts:
    """Eve's receptions of a recording, with fresh fading and noise at every reception.

    Eve's networks are trained and scored through this class alone. The images and labels are her
    own; of the system she receives the waveform over her channel.

    Args:
        recording: Waveforms that Alice's transmitter makes of Eve's images.
        channel: Eve's channel.
    """

    def __init__(self, recording: Recording, channel: Channel) -> None:
        self._recording = recording
        self._channel = channel
        self.images, self.labels = recording.images, recording.labels
        self.device = recording.device

    def __len__(self) -> int:
        return len(self._recording)

    @property
    def width(self) -> int:
        """Reals per reception."""
        return 2 * self._recording.waveforms.shape[1] + 1

    def resent(self, number: int, shift: int = 0) -> Intercepts:
        """Return receptions of the same images sent once more; see :meth:`Recording.resent`."""
        recording = self._recording.resent(number, shift)
        if recording is self._recording:
            return self
        found = copy(self)
        found._recording, found.images = recording, recording.images
        return found

    def receive(self, rows: Tensor, snr_db: Tensor | float, source: torch.Generator) -> Reception:
        """Receive some of the images.

        Args:
            rows: Which, int ``[B]``.
            snr_db: Eve's mean E_s/N_0 in dB, one number or one per row.
            source: Fading, noise, and which transmission of a randomised system.

        Returns:
            What her antenna received, and her CSI.
        """
        return self._channel(self._recording.waveforms[rows], snr_db, generator=source)

    def hear(self, rows: Tensor, snr_db: Tensor | float, source: torch.Generator) -> Tensor:
        """Receive some of the images, as features for a network.

        Arguments are those of :meth:`receive`.

        Returns:
            Features of the receptions, float ``[B, 2k + 1]``.
        """
        return self.receive(rows, snr_db, source).features()

    def receive_each(self, levels: Tensor, source: torch.Generator) -> Reception:
        """Receive every image once, the SNRs in rotation: the validation set of all epochs.

        Args:
            levels: SNRs, dB, float ``[L]``.
            source: Fading and noise.
        """
        rows = torch.arange(len(self), device=self.device)
        return self.receive(rows, levels[rows % len(levels)], source)


def any_of(levels: Tensor, rows: Tensor, source: torch.Generator) -> Tensor:
    """Return one of the SNRs for each row, drawn uniformly.

    Args:
        levels: SNRs, dB, float ``[L]``.
        rows: int ``[B]``.
        source: Randomness.

    Returns:
        float ``[B]``.

    Example:
        >>> any_of(torch.tensor([5.0]), torch.arange(2), generator(0))
        tensor([5., 5.])
    """
    return levels[torch.randint(len(levels), rows.shape, generator=source, device=levels.device)]
