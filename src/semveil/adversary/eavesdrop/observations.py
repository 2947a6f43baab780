"""Eve's observations: her receptions of her own images, and nothing of Alice or Bob."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from semveil.channel import Channel, Reception
from semveil.link import as_float
from semveil.rng import Randomness, generator, stream

Transmit = Callable[[Tensor, torch.Generator], Tensor]
"""Images float ``[B, C, H, W]`` in [0, 1] and a generator → waveform complex ``[B, k]``."""

Send = Callable[[Tensor, torch.Generator, Tensor], Tensor]
"""The same, with the numbers of the messages, int64 ``[B]``, that Alice and Bob both know."""

_BATCH = 500
_COPIES = 8
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
    """Waveforms of a set of images, made once and received over Eve's channel again and again.

    A system whose waveform depends on the image alone is recorded once. A randomised one
    is recorded eight times, so that an adversary trains on the average over its randomness.

    Args:
        transmit: The system, with the numbers of the messages.
        images: uint8 ``[N, C, H, W]``.
        labels: int ``[N]``.
        purpose: Such as ``test``. Recordings for different purposes share no draw of the system's
            randomness: Eve is tested under other keys and other noise than she trained on.
        seed: Seed of the system's randomness.
        device: Where everything is computed.
        copies: Recordings of a randomised system.
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
        copies: int = _COPIES,
    ) -> None:
        self.images, self.labels = images.to(device), labels.to(device)
        self.device = device
        self._scope = seed, "system", purpose
        self._first = _number_of(purpose) * _SERIES
        first = self._transmit(transmit, self.images[:_BATCH], 0)
        again = self._transmit(transmit, self.images[:_BATCH], 1)
        self.randomised = not torch.equal(first, again)
        takes = copies if self.randomised else 1
        self.waveforms = torch.stack(
            [self._transmit(transmit, self.images, take) for take in range(takes)]
        )

    @torch.no_grad()
    def _transmit(self, transmit: Send, images: Tensor, take: int) -> Tensor:
        parts = [
            transmit(
                as_float(images[rows]),
                generator(*self._scope, take, part, device=self.device),
                self.messages(rows, take),
            )
            for part, rows in enumerate(torch.arange(len(images), device=self.device).split(_BATCH))
        ]
        return torch.cat(parts).to(torch.complex64)

    def __len__(self) -> int:
        return len(self.images)

    def messages(self, rows: Tensor, take: int = 0) -> Tensor:
        """Return the numbers of the messages that carried some images, int64 ``[B]``."""
        return self._first + take * len(self.images) + rows

    def waveform(self, rows: Tensor, source: Randomness = None) -> Tensor:
        """Return one of the recorded waveforms of each row, complex ``[B, k]``."""
        takes = len(self.waveforms)
        if takes == 1:
            return self.waveforms[0, rows]
        chosen = torch.randint(
            takes,
            (len(rows),),
            generator=source if isinstance(source, torch.Generator) else None,
            device=self.device,
        )
        return self.waveforms[chosen, rows]


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
        return 2 * self._recording.waveforms.shape[2] + 1

    def receive(self, rows: Tensor, snr_db: Tensor | float, source: torch.Generator) -> Reception:
        """Receive some of the images.

        Args:
            rows: Which, int ``[B]``.
            snr_db: Eve's mean E_s/N_0 in dB, one number or one per row.
            source: Fading, noise, and which transmission of a randomised system.

        Returns:
            What her antenna received, and her CSI.
        """
        waveform = self._recording.waveform(rows, source)
        return self._channel(waveform, snr_db, generator=source)

    def hear(self, rows: Tensor, snr_db: Tensor | float, source: torch.Generator) -> Tensor:
        """Receive some of the images, as features for a network.

        Arguments are those of :meth:`receive`.

        Returns:
            Features of the receptions, float ``[B, 2k + 1]``.
        """
        return self.receive(rows, snr_db, source).features()

    def hear_each(self, levels: Tensor, source: torch.Generator) -> Tensor:
        """Receive every image once, the SNRs in rotation: the validation set of all epochs.

        Args:
            levels: SNRs, dB, float ``[L]``.
            source: Fading and noise.

        Returns:
            Features, float ``[N, 2k + 1]``.
        """
        rows = torch.arange(len(self), device=self.device)
        return self.hear(rows, levels[rows % len(levels)], source)


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
