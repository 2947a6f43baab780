"""The least power without gradients: energy on the part of a frame that costs the least."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.minimum import HIGHEST_DB, LOWEST_DB, SmallestBudget, fooled
from semveil.adversary.perturb.psr import to_psr
from semveil.adversary.perturb.victim import IncomingBatch, Victim, rows_of
from semveil.channel import Channel, OfdmChannel
from semveil.phy.broadcast import squared_magnitude
from semveil.section import Section
from semveil.style import PURPLE, Style


def cells(signal: Tensor, channel: Channel) -> Tensor:
    """Return what arrives, cell by cell as Bob reads it: samples, or subcarriers of OFDM symbols.

    Pilots and what he discards are zero.

    Args:
        signal: What arrives, complex ``[B, T]``.
        channel: Bob's channel.
    """
    length = signal.shape[1]
    data = channel.windows(length) & ~channel.pilot_windows(length)
    found = signal[:, data.to(signal.device)]
    if isinstance(channel, OfdmChannel):
        grid = found.unflatten(1, (-1, channel.subcarriers))
        found = torch.fft.fft(grid, norm="ortho").flatten(1)
    return found


def from_cells(found: Tensor, channel: Channel, length: int) -> Tensor:
    """Return the waveform ``[B, T]`` of cells; see :func:`cells`."""
    data = channel.windows(length) & ~channel.pilot_windows(length)
    if isinstance(channel, OfdmChannel):
        grid = found.unflatten(1, (-1, channel.subcarriers))
        found = torch.fft.ifft(grid, norm="ortho").flatten(1)
    waveform = found.new_zeros(len(found), length)
    return waveform.masked_scatter(data.to(found.device), found)


@ATTACKS.register
class VulnerableSet(SmallestBudget):
    """The smallest perturbation against the signal itself, on its weakest cells.

    A coded link fails once enough variables of a codeword are wrong. Mallory cancels and turns
    around the symbols that arrive with the least energy, those in deep fades, and leaves all others
    alone: of several shares of the cells she takes for each image the one that needs the least
    power, by bisection. She sees the signal and its fading and needs no gradient.

    Example:
        >>> VulnerableSet(shares=[0.1, 0.5]).needs_gradient
        False
    """

    name = "vulnerable-set"
    traits = frozenset({"search", "uneven"})
    description = "the smallest PSR that turns around the weakest symbols of each image"
    source = "the project's own search"
    style = Style(PURPLE, "<", 37)

    class Config(Section):
        """Settings of the search.

        Attributes:
            shares: Shares of the cells that are turned around, each tried.
            precision_db: Width of the interval at which the bisection ends, dB.
            votes: Receptions, of which most are misunderstood.
        """

        shares: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)] = [
            0.05,
            0.1,
            0.15,
            0.2,
            0.3,
            0.4,
            0.55,
            1.0,
        ]
        precision_db: Annotated[float, Field(gt=0, le=20)] = 0.5
        votes: Annotated[int, Field(gt=0, le=1001)] = 5

    config: Config

    @torch.no_grad()
    def smallest(
        self, victim: Victim, incoming: IncomingBatch, source: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Return the least PSRs found and the perturbations; see :class:`SmallestBudget`."""
        signal, votes = incoming.arrival.signal, self.config.votes
        arriving = cells(signal, victim.channel)
        rank = squared_magnitude(arriving).argsort(1).argsort(1)
        least = torch.full((len(signal),), torch.inf, device=signal.device)
        wrong = fooled(victim, incoming, None, least, votes, self.goal, source)
        least[wrong] = -torch.inf
        best = signal.clone()
        for share in self.config.shares:
            hit = rank < max(1, round(share * arriving.shape[1]))
            delta = from_cells(torch.where(hit, -arriving, 0), victim.channel, signal.shape[1])
            # Only what beats the shares before is looked for.
            high = least.clamp(max=HIGHEST_DB)
            rows = (~wrong).nonzero().squeeze(1)
            rows = rows[self._fooled(victim, incoming, delta, rows, high[rows], source)]
            top, low = high[rows], torch.full_like(high[rows], LOWEST_DB)
            while len(rows) and float((top - low).max()) > self.config.precision_db:
                middle = (top + low) / 2
                does = self._fooled(victim, incoming, delta, rows, middle, source)
                top, low = torch.where(does, middle, top), torch.where(does, low, middle)
            least[rows], best[rows] = top, delta[rows]
        return least, to_psr(best, signal, 0.0)

    def _fooled(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        delta: Tensor,
        rows: Tensor,
        psr_db: Tensor,
        source: torch.Generator,
    ) -> Tensor:
        if not len(rows):
            return torch.zeros(0, dtype=torch.bool, device=rows.device)
        part = rows_of(incoming, rows)
        return fooled(victim, part, delta[rows], psr_db, self.config.votes, self.goal, source)
