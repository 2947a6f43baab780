"""The link that Mallory attacks, as far as her threat model shows it to her."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from semveil.adversary.perturb.attacker_channel import AttackerChannel
from semveil.adversary.perturb.psr import to_psr
from semveil.channel import Arrival, Channel, Reception
from semveil.link import Answer
from semveil.protect.invariant import SYMBOL_FACTORS, InvariantMaps
from semveil.rng import Randomness

Transmit = Callable[[Tensor, torch.Generator, Tensor], Tensor]
"""Images ``[B, C, H, W]``, generator, message numbers ``[B]`` → waveform ``[B, k]``."""
Receive = Callable[[Reception, Tensor], Answer]
"""Reception, message numbers → Bob's answer."""


class Sent(Protocol):
    """What Alice sent: images float ``[B, C, H, W]`` in [0, 1], and labels int ``[B]``."""

    @property
    def images(self) -> Tensor:
        """The images."""
        ...

    @property
    def labels(self) -> Tensor:
        """Their true classes."""
        ...


@dataclass(frozen=True)
class IncomingBatch:
    """One batch on its way to Bob, as Mallory sees it.

    Attributes:
        arrival: What arrives at his antenna, noise excluded, and the fading that it went through:
            white-box attacks on single inputs know both.
        labels: True classes, int ``[B]``.
        messages: Message numbers, int64 ``[B]``.
        images: What Alice sent, float ``[B, C, H, W]`` in [0, 1].
        waveform: Her data symbols as Mallory hears them, complex ``[B, k]``: without noise and
            without delay, so that Mallory can retransmit a changed copy at the same time. Where a
            key hides the waveform, this is what the attacked pair sends under its own key, and
            ``arrival`` is what a pair under Mallory's key would send.
    """

    arrival: Arrival
    labels: Tensor
    messages: Tensor
    images: Tensor
    waveform: Tensor


def rows_of(incoming: IncomingBatch, rows: Tensor) -> IncomingBatch:
    """Return some messages of a batch, in any order and as often as wanted."""
    arrival = Arrival(incoming.arrival.signal[rows], incoming.arrival.fading[rows])
    return IncomingBatch(
        arrival,
        incoming.labels[rows],
        incoming.messages[rows],
        incoming.images[rows],
        incoming.waveform[rows],
    )


@dataclass(frozen=True)
class Victim:
    """A link under attack: Alice's transmitter, Bob's channel and receiver, Mallory's channel.

    White-box: gradients run through :meth:`answer`. Mallory does not know its noise, her channel
    or a key: the victim by which she crafts draws its own. She hears Alice's waveform while it is
    sent (:attr:`IncomingBatch.waveform`).

    Attributes:
        transmit: Alice.
        receive: Bob.
        channel: Bob's channel.
        snr_db: His mean E_s/N_0, dB.
        classes: Answers of his task.
        attacker_channel: Mallory's channel to his antenna.
        differentiable: Whether his answer has a gradient.
        invariant_maps: Maps of the waveform that commute with the key that hides it.

    Example:
        >>> from semveil.link import multitask_link
        >>> link = multitask_link((1, 8, 8), 10, 8, width=4)
        >>> victim = Victim(
        ...     lambda images, source, _: link.transmit(images, source),
        ...     lambda reception, _: link.receive(reception), link.channel, 10.0, 10)
        >>> incoming = victim.send(torch.zeros(2, 1, 8, 8), torch.tensor([3, 4]))
        >>> victim.answer(incoming).logits.shape
        torch.Size([2, 10])
    """

    transmit: Transmit
    receive: Receive
    channel: Channel
    snr_db: float
    classes: int
    attacker_channel: AttackerChannel = field(default_factory=AttackerChannel)
    differentiable: bool = True
    invariant_maps: InvariantMaps = SYMBOL_FACTORS

    @torch.no_grad()
    def send(
        self,
        images: Tensor,
        labels: Tensor,
        source: torch.Generator | None = None,
        messages: Tensor | None = None,
    ) -> IncomingBatch:
        """Send images over one draw of the channel.

        Args:
            images: float ``[B, C, H, W]`` in [0, 1].
            labels: int ``[B]``.
            source: Source of her randomness and of the fading.
            messages: Message numbers, int64 ``[B]``; 0, 1, … if omitted.
        """
        if messages is None:
            messages = torch.arange(len(images), device=images.device)
        if source is None:
            source = torch.Generator(device=images.device)
        waveform = self.transmit(images, source, messages)
        arrival = self.channel.arrive(waveform, source)
        return IncomingBatch(arrival, labels, messages, images, waveform)

    def arriving(
        self,
        delta: Tensor,
        incoming: IncomingBatch,
        psr_db: Tensor | float,
        source: Randomness = None,
    ) -> Tensor:
        """Return a sent perturbation as it arrives, at exactly its budget.

        Args:
            delta: What Mallory sends, complex ``[B, T]``; its size does not matter.
            incoming: What it is added to.
            psr_db: Budget at Bob's antenna, dB, one number or one per image.
            source: Source of what her channel draws.

        Returns:
            complex ``[B, T]``.
        """
        return to_psr(self.attacker_channel(delta, source), incoming.arrival.signal, psr_db)

    def answer(
        self, incoming: IncomingBatch, injected: Tensor | None = None, source: Randomness = None
    ) -> Answer:
        """Return Bob's answer.

        Args:
            incoming: What Alice sent.
            injected: What arrives on top of it, complex ``[B, T]``.
            source: Source of his noise.
        """
        heard = self.channel.hear(
            incoming.arrival, self.snr_db, generator=source, injected=injected
        )
        return self.receive(heard, incoming.messages)

    def attacked(
        self,
        incoming: IncomingBatch,
        delta: Tensor,
        psr_db: Tensor | float,
        source: Randomness = None,
    ) -> Answer:
        """Return Bob's answer where Mallory sends ``delta``; see :meth:`arriving`."""
        return self.answer(incoming, self.arriving(delta, incoming, psr_db, source), source)
