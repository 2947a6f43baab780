"""A black-box attack: random search that asks Bob for scores and needs no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Attack, misanswer
from semveil.adversary.perturb.iterative import expected
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.phy.broadcast import squared_magnitude
from semveil.rng import normal, uniform
from semveil.section import Section
from semveil.style import BLACK, Style

_WIDEST, _HALVINGS = 0.3, 3


def stretch(share: float, like: Tensor, source: torch.Generator) -> Tensor:
    """Return one stretch per image at a random place, wrapping round; bool ``[B, T]``.

    Args:
        share: How much of the frame it covers; one sample at least.
        like: The frames, ``[B, T]``.
        source: Source of the places.

    Example:
        >>> stretch(0.25, torch.zeros(2, 8), torch.Generator()).sum(1)
        tensor([2, 2])
    """
    batch, length = like.shape
    width = max(1, round(share * length))
    first = uniform((batch, 1), device=like.device, generator=source) * length
    place = torch.arange(length, device=like.device)
    return (place - first.long()) % length < width


def propose(delta: Tensor, share: float, in_frequency: bool, source: torch.Generator) -> Tensor:
    """Return perturbations with one stretch of time, or band of frequencies, drawn afresh.

    Args:
        delta: complex ``[B, T]``.
        share: Share of the samples, or of the spectrum, that changes.
        in_frequency: Which of both.
        source: Source of randomness.

    Returns:
        complex ``[B, T]``; what is new has the mean power of the whole.

    Example:
        >>> delta = torch.ones(1, 8, dtype=torch.complex64)
        >>> int((propose(delta, 0.25, False, torch.Generator()) != delta).sum())
        2
    """
    state = torch.fft.fft(delta, norm="ortho") if in_frequency else delta
    level = squared_magnitude(state).mean(1, keepdim=True).sqrt()
    fresh = normal(tuple(state.shape), dtype=state.dtype, device=state.device, generator=source)
    state = torch.where(stretch(share, state, source), level * fresh, state)
    return torch.fft.ifft(state, norm="ortho") if in_frequency else state


@ATTACKS.register
class BlackBox(Attack):
    """Random search on the sphere of the budget, by Bob's scores alone.

    After Square Attack, our reading for waveforms: a stretch of samples or a band of frequencies
    is drawn afresh, the narrower the later, and kept where Mallory's loss did not rise. The
    proposal and what it would replace are received with the same noise, which is new every time,
    so that nothing is kept by chance. Each budget begins with what the one below it found by
    queries of its own.

    Example:
        >>> BlackBox(queries=50).needs_gradient
        False
    """

    name = "blackbox"
    description = "random search per input with Bob's scores, without gradients"
    source = "after Square Attack, Andriushchenko et al., arXiv 1912.00049"
    style = Style(BLACK, "*", 80)

    class Config(Section):
        """Settings of the random search.

        Attributes:
            queries: Answers of Bob per image and budget.
        """

        queries: Annotated[int, Field(gt=0, le=100000)] = 200

    config: Config

    @torch.no_grad()
    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``; see :class:`Attack`."""
        signal, draws = incoming.arrival.signal, self.goal.draws
        # Each proposal and what it would replace are both asked about, over every draw.
        proposals = self.config.queries // (2 * draws)
        delta = jamming(signal, psrs_db[0], generator=source)
        found = list[Tensor]()
        for psr_db in psrs_db:
            loss = expected(victim, incoming, misanswer(self.goal), psr_db, draws, source)
            for number in range(proposals):
                share = _WIDEST / 2 ** (_HALVINGS * number / proposals)
                other = propose(delta, share, bool(number % 2), source)
                same = source.get_state()
                before = loss(delta, 0)
                source.set_state(same)
                better = loss(other, 0) <= before
                delta = torch.where(better.unsqueeze(1), other, delta)
            delta = to_psr(delta, signal, psr_db)
            found.append(delta)
        return torch.stack(found)
