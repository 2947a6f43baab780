"""Jamming: Gaussian noise over the whole waveform, where Bob listens, on pilots, on subcarriers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Attack
from semveil.adversary.perturb.psr import jamming
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.channel import Channel, OfdmChannel
from semveil.rng import normal, uniform
from semveil.section import Section
from semveil.style import FAINT, GREY, Style


@ATTACKS.register
class Jamming(Attack):
    """White Gaussian noise of exactly the budget's energy, fresh for every image.

    Example:
        >>> Jamming().per_input
        False
    """

    name = "jamming"
    traits = frozenset({"baseline"})
    description = "white Gaussian noise of the same energy: the control"
    source = "the project's own control"
    per_input = False
    style = Style(FAINT, "x", 10)

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the noise, complex ``[P, B, T]``."""
        signal = incoming.arrival.signal
        return torch.stack([jamming(signal, psr_db, generator=source) for psr_db in psrs_db])


class ShapedJamming(Attack):
    """Gaussian noise of a shape that uses what Mallory knows of the frame, fresh for every image.

    She knows Alice's timing, so that none of her energy falls on samples that Bob discards.
    """

    per_input = False

    @abstractmethod
    def shaped(self, noise: Tensor, channel: Channel, source: torch.Generator) -> Tensor:
        """Return the shaped noise, both complex ``[B, T]``."""

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the noise, complex ``[P, B, T]``."""
        signal = incoming.arrival.signal
        drawn = [
            normal(tuple(signal.shape), dtype=signal.dtype, device=signal.device, generator=source)
            for _ in psrs_db
        ]
        return torch.stack([self.shaped(noise, victim.channel, source) for noise in drawn])


@ATTACKS.register
class TimedJamming(ShapedJamming):
    """White noise in the windows that Bob uses: over OFDM, not on prefixes and the channel's tail.

    Example:
        >>> TimedJamming().per_input
        False
    """

    name = "timed-jamming"
    description = "white noise of the same energy where Bob listens: the control that knows timing"
    source = "the project's own control"
    style = Style(GREY, "x", 11)

    def applies_to(self, channel: Channel) -> bool:
        """Return whether Bob discards anything; elsewhere it would be white jamming."""
        return isinstance(channel, OfdmChannel)

    def shaped(self, noise: Tensor, channel: Channel, source: torch.Generator) -> Tensor:
        """Return the noise without what Bob discards."""
        return noise * channel.windows(noise.shape[1]).to(noise.device)


@ATTACKS.register
class PilotJamming(ShapedJamming):
    """All noise on the samples from which Bob estimates the channel.

    Example:
        >>> PilotJamming().applies_to(OfdmChannel(csi="perfect"))
        False
    """

    name = "pilot-jamming"
    traits = frozenset({"uneven"})
    description = "white noise of the same energy on the pilots alone"
    source = "after Clancy, Efficient OFDM denial: pilot jamming and pilot nulling, ICC 2011"
    style = Style(GREY, "+", 12)

    def applies_to(self, channel: Channel) -> bool:
        """Return whether Bob estimates the channel from pilots."""
        return channel.csi == "estimated"

    def shaped(self, noise: Tensor, channel: Channel, source: torch.Generator) -> Tensor:
        """Return the noise on the pilots."""
        pilots = channel.pilot_windows(noise.shape[1])
        found = pilots if bool(pilots.any()) else channel.windows(noise.shape[1])
        return noise * found.to(noise.device)


@ATTACKS.register
class SubcarrierJamming(ShapedJamming):
    """All noise on a few subcarriers, drawn anew for every image, in the windows that Bob uses.

    Example:
        >>> SubcarrierJamming(subcarriers=4)
        SubcarrierJamming(subcarriers=4)
    """

    name = "subcarrier-jamming"
    traits = frozenset({"uneven"})
    description = "white noise of the same energy on a few subcarriers"
    source = "the project's own control"
    style = Style(GREY, "1", 13)

    class Config(Section):
        """Settings of the jamming of subcarriers.

        Attributes:
            subcarriers: How many are jammed; all if there are no more.
        """

        subcarriers: Annotated[int, Field(gt=0, le=65536)] = 8

    config: Config

    def applies_to(self, channel: Channel) -> bool:
        """Return whether there are subcarriers."""
        return isinstance(channel, OfdmChannel)

    def shaped(self, noise: Tensor, channel: Channel, source: torch.Generator) -> Tensor:
        """Return the noise on the subcarriers drawn."""
        if not isinstance(channel, OfdmChannel):
            return noise
        used, many = channel.windows(noise.shape[1]).to(noise.device), channel.subcarriers
        grid = noise[:, used].unflatten(1, (-1, many))
        drawn = uniform((len(noise), many), device=noise.device, generator=source).argsort(1)
        kept = drawn < self.config.subcarriers
        jammed = torch.fft.ifft(grid * kept.unsqueeze(1), norm="ortho")
        return torch.zeros_like(noise).masked_scatter(used, jammed.flatten(1))
