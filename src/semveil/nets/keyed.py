"""A network that depends on a key."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KeyedMixer(nn.Module):
    """A linear layer, a gate per hidden unit that depends on the key, another linear layer.

    A dense network with the key as a further input hardly learns to use it; the gate provides
    products of key and input, as ciphers have them (our reading).
    """

    def __init__(self, dim: int, key_bits: int) -> None:
        super().__init__()
        hidden = 2 * dim
        self.before = nn.Linear(dim, hidden, bias=False)
        self.weigh = nn.Linear(key_bits, hidden)
        self.after = nn.Linear(hidden, dim, bias=False)

    def forward(self, numbers: Tensor, key: Tensor) -> Tensor:
        """Transform ``[B, dim]`` under keys ``[B, key_bits]``."""
        return self.after(self.before(numbers) * torch.tanh(self.weigh(key)))
