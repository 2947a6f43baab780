"""A relay: Mallory retransmits what she hears, changed by a map that no key notices."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.universal import Universal, UniversalConfig
from semveil.adversary.perturb.victim import IncomingBatch, Victim
from semveil.protect.normalise import BLOCK
from semveil.style import BLACK, Style


@ATTACKS.register
class Relay(Universal):
    """One map per budget, applied to the waveform that Mallory hears while Alice sends it.

    She adds ``δ = (c − 1)·z′`` to the waveform ``z′``, so that Bob receives ``c·z′``. If ``c``
    commutes with the keyed transform, he decrypts ``c·z`` for every key and counter: ``c`` is
    found under a key of her own and works under his. Which maps commute is stated by the
    transform (``KeyedTransform.invariant_maps``); without a key, ``c`` is any factor per symbol.
    Pilots are public and have a factor of their own.

    She needs the waveform without delay and her channels to Alice and Bob, but neither key nor
    image nor class.

    Example:
        >>> Relay(epochs=2).per_input
        True
    """

    name = "relay"
    description = "retransmits what is heard, changed by a map that commutes with the key"
    source = "this project"
    style = Style(BLACK, "X", 45)

    class Config(UniversalConfig):
        """Settings of the relay.

        Attributes:
            steps: Gradient steps per pass.
            epochs: Passes.
            share: Share of the blocks of two symbols that it changes, evenly spread. The fewer,
                the more often keyed pilots miss it.
        """

        share: Annotated[float, Field(gt=0, le=1)] = 1.0

    def parameters(self, victim: Victim, incoming: IncomingBatch) -> int:
        """Return the parameters of ``c − 1``: those of the waveform, and the pilots' factor."""
        return victim.invariant_maps.size(incoming.waveform.shape[1]) + 1

    def perturbations(self, victim: Victim, incoming: IncomingBatch, found: Tensor) -> Tensor:
        """Return ``(c − 1)·z′`` after Alice's fading, complex ``[B, T]``."""
        of_data, of_pilots = found.tensor_split([-1], 1)
        changed = victim.invariant_maps.apply(of_data, incoming.waveform)
        if self.config.share < 1:
            blocks = torch.arange(changed.shape[1], device=changed.device) // BLOCK
            changed = changed * ((blocks * self.config.share) % 1 < self.config.share)
        fading = incoming.arrival.fading
        return torch.as_tensor(victim.channel.relayed(changed, fading, of_pilots))
