"""Auto-PGD: projected gradient descent that chooses its step size and returns to its best point."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.gradient import ImageLoss, slope_of
from semveil.adversary.perturb.iterative import PGD, best_of
from semveil.adversary.perturb.psr import to_psr
from semveil.style import BLUE, Style

_MOMENTUM, _SUCCESSES = 0.75, 0.75
_FIRST, _SHORTER, _SHORTEST = 0.22, 0.03, 0.06


def checkpoints(steps: int) -> list[int]:
    """Return the steps after which the step size may be halved (Croce and Hein, section 4).

    Example:
        >>> checkpoints(20)
        [5, 9, 12, 14, 16, 18, 19, 20]
    """
    before, share, found = 0.0, _FIRST, list[int]()
    while share <= 1:
        found.append(math.ceil(share * steps - 1e-9))
        before, share = share, share + max(share - before - _SHORTER, _SHORTEST)
    return sorted(set(found))


def auto_descend(
    signal: Tensor,
    loss: ImageLoss,
    psr_db: Tensor | float,
    steps: int,
    start: Tensor | None = None,
) -> Tensor:
    """Minimise a loss of a perturbation on the sphere of a PSR, with momentum, image by image.

    The step is twice the budget at first. At each checkpoint it is halved for the images whose loss
    fell in fewer than three of four steps, and these go on from their best point. Bob's noise is
    new in every step, so that a point may owe a small loss to luck: the best point is compared with
    the present one anew at each checkpoint (our reading; the paper keeps the least loss seen, and
    halves the step where that has not changed, too).

    Args:
        signal: Waveform that is perturbed, complex ``[B, k]``.
        loss: What is to be minimised; images must not influence each other's.
        psr_db: Budget in dB, one number or one per image; met exactly.
        steps: Gradient steps.
        start: Where to begin, complex ``[B, k]``; without perturbation if omitted.

    Returns:
        The best perturbation of each image that a step arrived at, complex ``[B, k]``.
    """
    last = delta = torch.zeros_like(signal) if start is None else to_psr(start, signal, psr_db)
    best = delta
    size = torch.full_like(signal.real[:, 0], 2.0)
    fell, before = torch.zeros_like(size), torch.full_like(size, torch.inf)
    since, marks = 0, checkpoints(steps)
    for step in range(steps):
        if step in marks:
            best = best_of([delta, best], loss) if since else delta
            halved = fell < 9
            size = torch.where(halved, size / 2, size)
            delta = torch.where(halved[:, None], best, delta)
            last = torch.where(halved[:, None], best, last)
            since, fell = step, torch.zeros_like(fell)
        slope, found = slope_of(signal, delta, loss, step)
        fell, before = fell + (found < before), found
        aimed = to_psr(delta - size[:, None] * to_psr(slope, signal, psr_db), signal, psr_db)
        if step:
            aimed = delta + _MOMENTUM * (aimed - delta) + (1 - _MOMENTUM) * (delta - last)
        last, delta = delta, to_psr(aimed, signal, psr_db)
    return best_of([delta, best], loss) if since else delta


@ATTACKS.register
class APGD(PGD):
    """Auto-PGD per input, several starts, the best kept.

    Example:
        >>> APGD(steps=3)
        APGD(steps=3, restarts=2)
    """

    name = "apgd"
    traits = frozenset({"search"})
    description = "gradient descent per input with momentum and an adaptive step size"
    source = "Croce and Hein, arXiv 2003.01690"
    style = Style(BLUE, "<", 35)

    class Config(PGD.Config):
        """Settings of Auto-PGD.

        Attributes:
            steps: Gradient steps.
            restarts: Starts, of which the best is kept.
        """

    def search(
        self, signal: Tensor, loss: ImageLoss, psr_db: float, start: Tensor | None
    ) -> Tensor:
        """Return what one start ends with, complex ``[B, T]``."""
        return auto_descend(signal, loss, psr_db, self.config.steps, start)
