"""A black-box attack: random search that asks Bob for scores and needs no gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import Attack, failures, loss_of, misanswer
from semveil.adversary.perturb.psr import jamming, to_psr
from semveil.adversary.perturb.victim import IncomingBatch, Victim, rows_of
from semveil.phy.broadcast import squared_magnitude
from semveil.rng import normal, uniform
from semveil.section import Section
from semveil.style import BLACK, Style

_WIDEST, _STRONGEST, _HALVINGS = 0.3, 2.0, 3
# How often in a row an answer is wrong before its image is left alone. In thousands of answers over
# noise, short runs of mistakes come by chance.
_SURE = 20


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


def propose(
    delta: Tensor, share: float, strength: float, in_frequency: bool, source: torch.Generator
) -> Tensor:
    """Return perturbations with noise added to one stretch of time, or band of frequencies.

    Args:
        delta: complex ``[B, T]``.
        share: Share of the samples, or of the spectrum, that changes.
        strength: Size of the noise over the mean size of the whole.
        in_frequency: Which of both.
        source: Source of randomness.

    Returns:
        complex ``[B, T]``.

    Example:
        >>> delta = torch.ones(1, 8, dtype=torch.complex64)
        >>> int((propose(delta, 0.25, 1.0, False, torch.Generator()) != delta).sum())
        2
    """
    state = torch.fft.fft(delta, norm="ortho") if in_frequency else delta
    level = strength * squared_magnitude(state).mean(1, keepdim=True).sqrt()
    fresh = normal(tuple(state.shape), dtype=state.dtype, device=state.device, generator=source)
    state = torch.where(stretch(share, state, source), state + level * fresh, state)
    return torch.fft.ifft(state, norm="ortho") if in_frequency else state


@ATTACKS.register
class BlackBox(Attack):
    """Random search on the sphere of the budget, by Bob's scores alone.

    After Square Attack, our reading for waveforms: noise is added to a stretch of samples or a band
    of frequencies, narrower and weaker over time, and kept where Mallory's loss did not rise. The
    proposal and what it would replace are received with the same noise, which is new every time,
    so that nothing is kept by chance. Images and budgets are searched at once, each on its own; a
    search ends early once Bob has misunderstood 20 times in a row.

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
            queries: Answers of Bob per image and budget, at most.
            curve: Numbers of queries after which Bob's accuracy is recorded as well; those that are
                not below ``queries`` are left out.
        """

        queries: Annotated[int, Field(gt=0, le=100000)] = 600
        curve: list[Annotated[int, Field(gt=0)]] = [20, 60, 200, 600, 2000, 6000]

    config: Config

    def craft(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> Tensor:
        """Return the perturbations, complex ``[P, B, T]``; see :class:`Attack`."""
        return self.craft_stages(victim, incoming, psrs_db, source)[""]

    @torch.no_grad()
    def craft_stages(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        psrs_db: Sequence[float],
        source: torch.Generator,
    ) -> dict[str, Tensor]:
        """Return the perturbations, and those after fewer queries; see :class:`Attack`."""
        batch, device = len(incoming.labels), incoming.arrival.signal.device
        whole = rows_of(incoming, torch.arange(batch, device=device).repeat(len(psrs_db)))
        psr = torch.tensor(psrs_db, device=device).repeat_interleave(batch)
        signal = whole.arrival.signal
        delta = jamming(signal, psr, generator=source)
        fooled = torch.zeros(len(psr), dtype=torch.long, device=device)
        # Each proposal and what it would replace are both asked about, over every draw.
        asked = 2 * self.goal.draws
        proposals = self.config.queries // asked
        stages = dict[str, Tensor]()
        for number in range(proposals):
            stages |= {
                f"after_{count}_queries": delta.clone()
                for count in self.config.curve
                if count < self.config.queries and count // asked == number
            }
            rows = (fooled < _SURE).nonzero().squeeze(1)
            if not len(rows):
                continue
            part = rows_of(whole, rows)
            fade = number / proposals
            other = propose(
                delta[rows],
                _WIDEST / 2 ** (_HALVINGS * fade),
                _STRONGEST / 2**fade,
                bool(number % 2),
                source,
            )
            same = source.get_state()
            before, wrong = self._ask(victim, part, delta[rows], psr[rows], source)
            source.set_state(same)
            after, _ = self._ask(victim, part, other, psr[rows], source)
            kept = torch.where((after <= before).unsqueeze(1), other, delta[rows])
            delta[rows] = to_psr(kept, part.arrival.signal, psr[rows])
            fooled[rows] = torch.where(wrong, fooled[rows] + 1, 0)
        return {
            name: found.unflatten(0, (len(psrs_db), batch))
            for name, found in {**stages, "": delta}.items()
        }

    def _ask(
        self,
        victim: Victim,
        incoming: IncomingBatch,
        delta: Tensor,
        psr_db: Tensor,
        source: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Return Mallory's mean loss and whether every answer is what she wants, both ``[N]``."""
        losses, wrong = [], torch.ones(len(delta), dtype=torch.bool, device=delta.device)
        for _ in range(self.goal.draws):
            answer = victim.attacked(incoming, delta, psr_db, source)
            losses.append(loss_of(answer, incoming, misanswer(self.goal)))
            if answer.logits is None:
                wrong = torch.zeros_like(wrong)
            else:
                wrong &= failures(self.goal)(answer.logits, incoming.labels) == 0
        return torch.stack(losses).mean(0), wrong
