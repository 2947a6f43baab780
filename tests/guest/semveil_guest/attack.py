"""An attack: pulses at the same samples of every waveform, with settings of its own."""

from typing import Annotated

import torch
from pydantic import Field

from semveil.attacks import ATTACKS, Attack
from semveil.recipe import Section
from semveil.style import GREY, Style


@ATTACKS.register
class Pulses(Attack):
    """Puts the whole budget on every so many samples, whatever Alice sends."""

    name = "pulses"
    description = "pulses of random phase, one every few samples"
    source = "example of the documentation"
    per_input = False
    style = Style(GREY, "h", 90)

    class Config(Section):
        """Settings in the recipe's section ``attack.pulses``.

        Attributes:
            every: Samples from one pulse to the next.
        """

        every: Annotated[int, Field(gt=0, le=1024)] = 4

    def craft(self, victim, incoming, psrs_db, source):
        """Return the pulses, complex ``[P, B, T]``; the evaluation scales them to each budget."""
        signal = incoming.arrival.signal
        phase = 2 * torch.pi * torch.rand(signal.shape, generator=source, device=source.device)
        pulses = torch.polar(torch.ones_like(phase), phase)
        pulses[:, torch.arange(signal.shape[1]) % self.config.every != 0] = 0
        return pulses.expand(len(psrs_db), *pulses.shape)
