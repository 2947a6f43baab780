"""What attacks are trained on: Mallory's own images, over fresh draws of Bob's channel."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.link import as_float
from semveil.rng import generator

_AT_ONCE = 1000


class AttackData:
    """Waveforms of images whose classes Mallory knows; Alice sends every image once.

    Training receives them again and again, each time over a fading of its own.

    Args:
        victim: The link: Alice's transmitter, and Bob's channel up to his antenna.
        images: uint8 ``[N, C, H, W]``.
        labels: int ``[N]``.
        seed: Seed of Alice's own randomness.

    Example:
        >>> from semveil.channel import Channel
        >>> from semveil.link import Answer, to_waveform
        >>> victim = Victim(
        ...     lambda images, source, _: to_waveform(images.flatten(1) + 1),
        ...     lambda reception, _: Answer(reception.features()), Channel(), 10.0, 2)
        >>> data = AttackData(victim, torch.zeros(5, 1, 2, 2, dtype=torch.uint8),
        ...                   torch.zeros(5, dtype=torch.long), seed=0)
        >>> data.send(torch.tensor([4, 0, 1]), generator(0)).arrival.signal.shape
        torch.Size([3, 2])
    """

    @torch.no_grad()
    def __init__(self, victim: Victim, images: Tensor, labels: Tensor, seed: int) -> None:
        self.channel = victim.channel
        self.images, self.labels = images, labels
        self.device = images.device
        source = generator(seed, "rehearsal", device=self.device)
        rows = torch.arange(len(images), device=self.device)
        self.waveforms = torch.cat(
            [victim.transmit(as_float(images[some]), source, some) for some in rows.split(_AT_ONCE)]
        )

    def __len__(self) -> int:
        return len(self.labels)

    @torch.no_grad()
    def send(self, rows: Tensor, source: torch.Generator) -> IncomingBatch:
        """Send some of the images over one draw of the channel.

        Args:
            rows: Which ones, int64 ``[B]``; they are the message numbers too.
            source: Source of the fading.
        """
        waveform = self.waveforms[rows]
        arrival = self.channel.arrive(waveform, source)
        images = as_float(self.images[rows])
        return IncomingBatch(arrival, self.labels[rows], rows, images, waveform)
