"""Which parameters are trained by which optimiser, at which rate."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from semveil.nets.task import FilterConv
from semveil.training.muon import Muon
from semveil.training.objective import Objective


def optimisers(
    objective: Objective, parameters: list[nn.Parameter], lr: float, muon_lr: float | None
) -> list[Optimizer]:
    """Return the optimisers of a player: Adam, then Muon if it trains some of the parameters.

    Muon takes the filters of the convolutions of Alice's and Bob's link; what simulated Eves and
    generators learn is Adam's.
    """
    filters = dict[Tensor, bool]()
    if muon_lr is not None and "link" in objective.modules:
        filters = {
            module.weight: isinstance(module, FilterConv)
            for module in objective.modules["link"].modules()
            if isinstance(module, nn.Conv2d)
        }
    groups = [
        {"params": mine, "normalise": normalise}
        for normalise in (True, False)
        if (mine := [each for each in parameters if filters.get(each) is normalise])
    ]
    rest = [each for each in parameters if each not in filters]
    # The same numbers as for one parameter after another, with fewer calls from Python.
    found: list[Optimizer] = [torch.optim.Adam(rest, lr=lr, foreach=True)]
    if groups:
        assert muon_lr is not None
        found.append(Muon(groups, lr=muon_lr))
    for optimiser in found:
        for group in optimiser.param_groups:
            group["peak_lr"] = group["lr"]
    return found


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set an optimiser's learning rates to so much of their peaks."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["peak_lr"]
