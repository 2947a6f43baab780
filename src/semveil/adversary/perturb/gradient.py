"""Perturbations found by following a gradient: one step, or several with projection."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from semveil.adversary.perturb.psr import to_psr
from semveil.phy.broadcast import squared_magnitude

ImageLoss = Callable[[Tensor, int], Tensor]
"""Perturbation ``[B, k]`` and the number of the step → loss per image ``[B]``."""


def slope_of(
    signal: Tensor, delta: Tensor, loss: ImageLoss, step: int, gradient: bool = True
) -> tuple[Tensor, Tensor]:
    """Return the gradient of a loss at a perturbation, and the loss of each image, ``[B]``.

    Where a gradient vanishes without a perturbation, it is minus the waveform: a perturbation along
    it is a scaling.
    """
    if not gradient:
        with torch.no_grad():
            return torch.zeros_like(delta), loss(delta, step)
    probe = delta.detach().requires_grad_(True)
    with torch.enable_grad():
        losses = loss(probe, step)
        total = losses.sum()
    (slope,) = torch.autograd.grad(total, probe)
    flat = squared_magnitude(slope).sum(1, keepdim=True) == 0
    still = (delta == 0).all(1, keepdim=True)
    return torch.where(flat & still, -signal, slope), losses.detach()


def descend(
    signal: Tensor,
    loss: ImageLoss,
    psr_db: Tensor | float,
    steps: int = 1,
    start: Tensor | None = None,
) -> Tensor:
    """Minimise a loss of a perturbation at exactly a PSR.

    One step is the fast gradient method (Sadeghi and Larsson, arXiv 1902.08391): the whole
    budget along the negative gradient. Several steps go 2.5/steps of the budget each and are
    projected back onto its sphere (projected gradient descent; the step size is our reading).

    Args:
        signal: Waveform that is perturbed, complex ``[B, k]``.
        loss: What is to be minimised; images must not influence each other's.
        psr_db: Budget in dB, one number or one per image; met exactly.
        steps: Gradient steps.
        start: Where to begin, complex ``[B, k]``; without perturbation if omitted.

    Returns:
        Perturbation δ, complex ``[B, k]``. Where a gradient vanishes, its image gets the budget
        along its own waveform: a scaling, which is lost when the total power is restored.

    Example:
        >>> signal = torch.ones(1, 4, dtype=torch.complex64)
        >>> delta = descend(signal, lambda delta, step: delta.real.sum(1), -20.0)
        >>> bool(torch.allclose(delta, torch.full((1, 4), -0.1 + 0j)))
        True
    """
    stride = 1.0 if steps == 1 else 2.5 / steps
    delta = torch.zeros_like(signal) if start is None else to_psr(start, signal, psr_db)
    for step in range(steps):
        slope, _ = slope_of(signal, delta, loss, step)
        delta = to_psr(delta - stride * to_psr(slope, signal, psr_db), signal, psr_db)
    return delta.detach()
