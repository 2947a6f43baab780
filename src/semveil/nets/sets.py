"""Permutation-invariant networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semveil.nets.dense import Mlp


class SetMlp(nn.Module):
    """Deep sets (Zaheer et al., 2017) over the components, together with their sorted values.

    A permutation leaves the multiset of values unchanged. The network reads it as the sorted
    vector, and as mean, standard deviation and maximum of learned features of the components. The
    last input, the reliability, is a further input for every component.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, features: int = 32) -> None:
        super().__init__()
        self.each = nn.Sequential(Mlp(2, (features,), features), nn.ReLU())
        self.all = Mlp(3 * features + inputs, (hidden, hidden), outputs)

    def forward(self, observations: Tensor) -> Tensor:
        """Map ``[B, inputs]`` to ``[B, outputs]``."""
        components, reliability = observations[:, :-1], observations[:, -1:]
        each = self.each(torch.stack([components, reliability.expand_as(components)], dim=2))
        spread = (each.var(1, unbiased=False) + 1e-6).sqrt()
        ordered = components.sort(dim=1).values
        pooled = [each.mean(1), spread, each.amax(1), ordered, reliability]
        return self.all(torch.cat(pooled, dim=1))
