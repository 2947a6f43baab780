"""Training of the learned cooperative perturbation, against a surrogate Eve."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from semveil.adversary.perturb.cooperative import CooperativeAim, WaveformLayer
from semveil.channel import channel_of
from semveil.recipe import Recipe
from semveil.rng import Randomness
from semveil.training.objective import Batch, Losses, Turn


class LearnPerturbation:
    """One player: the perturbation layer; Alice, Bob and Eve are frozen."""

    name = "perturbation"

    def __init__(self, recipe: Recipe, layer: WaveformLayer, aim: CooperativeAim) -> None:
        self.layer, self.aim = layer, aim
        self.modules = nn.ModuleDict({"perturbation": layer})
        self.players = {"layer": list(layer.parameters())}
        self.channels = channel_of(recipe.bob), channel_of(recipe.eve)
        self.snrs_db = recipe.bob.snr_db, recipe.eve.snr_db

    def turns(self, step: int, steps_per_epoch: int) -> Sequence[Turn]:
        """Return the turn of the layer."""
        return [Turn("layer", self._craft)]

    def _craft(self, batch: Batch, source: Randomness) -> Losses:
        with torch.no_grad():
            waveform = self.aim.link.transmit(batch.images)
        sent = self.layer(waveform)
        bob, eve = (
            channel(sent, snr_db, generator=source)
            for channel, snr_db in zip(self.channels, self.snrs_db, strict=True)
        )
        return {"total": self.aim.loss(bob, eve, self.aim.wanted(waveform)).mean()}
