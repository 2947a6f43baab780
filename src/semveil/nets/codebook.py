"""A learned codebook: vector quantisation with gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from semveil.device import full_precision
from semveil.rng import Randomness, uniform

Rule = Literal["gumbel", "nearest"]
_TEMPERATURE = 0.5


@dataclass(frozen=True)
class Choice:
    """Codewords chosen for tokens: indices ``[B, T]``; one-hots, with gradient, ``[B, T, K]``."""

    index: Tensor
    sent: Tensor
    probabilities: Tensor

    def entropy(self) -> Tensor:
        """Return the mean entropy of a token's codeword, nats, scalar."""
        return _entropy(self.probabilities).mean()

    def information(self) -> Tensor:
        """Return an upper bound on the mutual information of image and codewords, nats, scalar.

        The sum over positions of the entropy of the batch's average minus the average entropy,
        which is the mutual information of image and codeword at that position.
        """
        average = self.probabilities.mean(0)
        return (_entropy(average) - _entropy(self.probabilities).mean(0)).sum()


def _entropy(probabilities: Tensor) -> Tensor:
    # The derivative of x·ln x is infinite at zero.
    return -(probabilities * probabilities.clamp(min=1e-9).log()).sum(-1)


class Codebook(nn.Module):
    """Vector quantisation with one codebook for all positions.

    ``gumbel``: codewords are scored by inner products and drawn by Gumbel softmax in training
    (Xie et al., arXiv 2209.10382). ``nearest``: the nearest codeword, with the straight-through
    estimator and a commitment loss (VQ-VAE; Zhang et al., IEEE CL 28(6), 2024).

    Args:
        size: Codewords ``K``.
        dim: Reals per codeword.
        rule: ``gumbel`` or ``nearest``.

    Shape:
        tokens float ``[B, T, dim]``, of unit variance → :class:`Choice`.

    Example:
        >>> book = Codebook(4, 2, "nearest").eval()
        >>> choice = book(book.words[[2, 0]].unsqueeze(0))
        >>> choice.index.tolist()
        [[2, 0]]
    """

    def __init__(self, size: int, dim: int, rule: Rule) -> None:
        super().__init__()
        self.rule = rule
        # The scale of normalised tokens. The authors initialise near zero, which does not matter
        # after their hundreds of epochs.
        self.words = nn.Parameter(torch.randn(size, dim))

    def forward(self, tokens: Tensor, source: Randomness = None) -> Choice:
        """Choose codewords for ``[B, T, dim]``; random in training if the rule is ``gumbel``."""
        tokens, words = tokens.float(), self.words.float()
        with full_precision(tokens.device):
            if self.rule == "gumbel":
                scores = tokens @ words.T / tokens.shape[-1] ** 0.5
            else:
                # The squared norm of a token is common to all codewords and drops out.
                scores = 2 * tokens @ words.T - words.square().sum(1)
                scores = scores / tokens.shape[-1] ** 0.5
        probabilities = scores.softmax(-1)
        soft = probabilities
        if self.rule == "gumbel" and self.training:
            u = uniform(tuple(scores.shape), device=scores.device, generator=source)
            noise = -torch.log(-torch.log(u.clamp(1e-9, 1 - 1e-7)))
            soft = ((scores + noise) / _TEMPERATURE).softmax(-1)
        index = soft.argmax(-1)
        hard = F.one_hot(index, len(words)).to(soft)
        return Choice(index, hard + soft - soft.detach(), probabilities)
