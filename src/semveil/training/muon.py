"""Muon: momentum whose update is orthogonalised, for the filters of convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# Coefficients of a quintic that takes singular values in (0, 1] near one in few steps.
_QUINTIC = 3.4445, -4.7750, 2.0315


def orthogonalise(matrices: Tensor, steps: int = 3) -> Tensor:
    """Return nearly orthogonal matrices with the same singular vectors, float ``[N, R, C]``.

    Newton–Schulz iterations in bfloat16 take all singular values to about one.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    found = (matrices.mT if tall else matrices).bfloat16()
    found = found / (found.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    first, third, fifth = _QUINTIC
    for _ in range(steps):
        square = found @ found.mT
        found = first * found + (third * square + fifth * square @ square) @ found
    return (found.mT if tall else found).to(matrices.dtype)


class Muon(Optimizer):
    """Momentum with orthogonalised updates (Jordan et al., 2024), for convolutions' filters.

    torch's own takes matrices only, one at a time. Filters of one shape are updated together.

    Args:
        filters: Parameters ``[outputs, inputs, H, W]``, or groups of them.
        lr: Learning rate.
        momentum: Momentum, Nesterov's.
        normalise: Whether filters are kept at the norm ``√outputs``, as suits those whose scale is
            irrelevant.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(4, 2, 3, 3))
        >>> optimiser = Muon([weight], lr=0.1, normalise=True)
        >>> weight.square().sum().backward()
        >>> optimiser.step()
        >>> bool((weight < 0.34).all())
        True
    """

    def __init__(
        self,
        filters: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.6,
        normalise: bool = False,
    ) -> None:
        super().__init__(filters, {"lr": lr, "momentum": momentum, "normalise": normalise})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update all filters that have a gradient."""
        for group in self.param_groups:
            for filters in _alike(group["params"]):
                self._update(filters, group)

    def _update(self, filters: list[Tensor], group: dict[str, Any]) -> None:
        moved = []
        for each in filters:
            assert each.grad is not None
            state = self.state[each]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(each)
            buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(each.grad)
            moved.append(each.grad.add(buffer, alpha=group["momentum"]).flatten(1))
        rows, columns = moved[0].shape
        scale = 1.0 if group["normalise"] else max(1.0, rows / columns) ** 0.5
        for each, update in zip(filters, orthogonalise(torch.stack(moved)), strict=True):
            if group["normalise"]:
                each.mul_(rows**0.5 / each.norm())
            each.add_(update.view_as(each), alpha=-group["lr"] * scale)


def _alike(parameters: list[Tensor]) -> list[list[Tensor]]:
    """Return the parameters that have a gradient, those of one shape together."""
    found: dict[torch.Size, list[Tensor]] = {}
    for each in parameters:
        if each.grad is not None:
            found.setdefault(each.shape, []).append(each)
    return list(found.values())
