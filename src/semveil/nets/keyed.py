"""A network whose work depends on a key."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class KeyedMixer(nn.Module):
    """Mixes numbers, weighs the mixtures by the key, and mixes them again.

    A dense network that is only shown the key beside its input hardly learns to use it: products
    of key and input are what a cipher is made of, and are built in here (our reading).

    Args:
        dim: Numbers in and out.
        key_bits: Signs in a key.

    Shape:
        numbers float ``[B, dim]``, key of ±1 float ``[B, key_bits]`` → float ``[B, dim]``.

    Example:
        >>> KeyedMixer(8, 16)(torch.zeros(2, 8), torch.ones(2, 16)).shape
        torch.Size([2, 8])
    """

    def __init__(self, dim: int, key_bits: int) -> None:
        super().__init__()
        hidden = 2 * dim
        self.before = nn.Linear(dim, hidden, bias=False)
        self.weigh = nn.Linear(key_bits, hidden)
        self.after = nn.Linear(hidden, dim, bias=False)

    def forward(self, numbers: Tensor, key: Tensor) -> Tensor:
        """Mix ``[B, dim]`` under keys ``[B, key_bits]``."""
        return self.after(self.before(numbers) * torch.tanh(self.weigh(key)))
