"""Networks that do not care in which order the components of an observation come."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semveil.nets.dense import Mlp


class SetMlp(nn.Module):
    """Deep sets (Zaheer et al., 2017) over the components, beside their sorted values.

    What a permutation leaves to leak is the multiset of values. It is read twice: as the sorted
    vector, and through mean, spread and maximum of learned features of the single components. The
    last input, the reliability, belongs to the whole observation and to every component.

    Args:
        inputs: Numbers observed: the components and one reliability.
        hidden: Width of the layers after pooling.
        outputs: Numbers out.
        features: Learned features of a component.

    Shape:
        float ``[B, inputs]`` → float ``[B, outputs]``, the same for every order of the first
        ``inputs − 1``.

    Example:
        >>> network, seen = SetMlp(5, 16, 3), torch.tensor([[0.3, -1.0, 0.5, 2.0, 0.9]])
        >>> torch.allclose(network(seen), network(seen[:, [3, 1, 0, 2, 4]]), atol=1e-6)
        True
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
