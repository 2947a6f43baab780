"""Mallory's channel to Bob's antenna: fading, timing, the phase of her carrier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from semveil import phy
from semveil.recipe import AttackerConfig
from semveil.rng import Randomness, uniform


@dataclass(frozen=True)
class AttackerChannel:
    """What a perturbation undergoes on its way to Bob, drawn afresh for every image.

    Attributes:
        fading: ``none``, ``rayleigh`` (one coefficient) or ``multipath`` (eight taps, decay 1.5).
        timing: Samples by which it may come early or late; it wraps round at the frame's ends, so
            that its energy stays.
        phase: Whether its carrier's phase is uniform.
        cfo: Largest offset of its carrier, cycles per sample, either way.

    Example:
        >>> delta = torch.ones(2, 8, dtype=torch.complex64)
        >>> bool((AttackerChannel()(delta) == delta).all())
        True
        >>> AttackerChannel("multipath", timing=2, phase=True)(delta).shape
        torch.Size([2, 8])
    """

    fading: Literal["none", "rayleigh", "multipath"] = "none"
    timing: int = 0
    phase: bool = False
    cfo: float = 0.0

    def __call__(self, delta: Tensor, source: Randomness = None) -> Tensor:
        """Return perturbations as they arrive, for those sent, both complex ``[B, T]``.

        Args:
            delta: What she sends.
            source: Source of randomness.
        """
        batch, length = delta.shape
        if self.fading != "none":
            paths, decay = (1, 1.0) if self.fading == "rayleigh" else (8, 1.5)
            profile = phy.exponential_profile(paths, decay, device=delta.device)
            taps = phy.multipath_taps(batch, profile, generator=source)
            delta = phy.convolve(delta, taps)[:, :length]
        if self.timing:
            draws = uniform((batch, 1), device=delta.device, generator=source)
            late = (draws * (2 * self.timing + 1)).long() - self.timing
            index = (torch.arange(length, device=delta.device) - late) % length
            delta = delta.gather(1, index)
        if self.phase:
            turn = uniform((batch, 1), device=delta.device, generator=source) * (2 * torch.pi)
            delta = delta * torch.polar(torch.ones_like(turn), turn)
        if self.cfo:
            offset = (2 * uniform((batch, 1), device=delta.device, generator=source) - 1) * self.cfo
            angle = 2 * torch.pi * offset * torch.arange(length, device=delta.device)
            delta = delta * torch.polar(torch.ones_like(angle), angle)
        return delta


def attacker_channel(mallory: AttackerConfig) -> AttackerChannel:
    """Return the channel that a recipe describes.

    Example:
        >>> attacker_channel(AttackerConfig(phase=True)).phase
        True
    """
    return AttackerChannel(mallory.fading, mallory.timing, mallory.phase, mallory.cfo)
