"""A fixed permutation does not outlive a few messages whose images Eve knows."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def estimate_order(sent: Tensor, heard: Tensor) -> Tensor:
    """Estimate one permutation of the components from known plaintext.

    Every component that was heard is correlated with every one that the encoder made, over the
    messages; the assignment of the largest sum of correlations is the estimate (Hungarian
    method). If every message has a permutation of its own, there is nothing to be estimated, and
    what is returned is as good as any.

    Args:
        sent: What the encoder made of images that Eve knows, before the permutation, float
            ``[M, d]``; two messages at least.
        heard: The same messages as she received them, permuted and noisy, float ``[M, d]``.

    Returns:
        ``order``, int ``[d]``: component ``j`` that is heard is component ``order[j]`` that was
        sent.

    Raises:
        ValueError: If the shapes differ, or there are fewer than two messages.

    Example:
        >>> sent = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
        >>> estimate_order(sent, sent[:, [2, 0, 3, 1]]).tolist()
        [2, 0, 3, 1]
    """
    if sent.shape != heard.shape or len(sent) < 2:
        raise ValueError(f"cannot compare {list(sent.shape)} with {list(heard.shape)}")
    likeness = _standardised(heard).T @ _standardised(sent)
    _, order = linear_sum_assignment(likeness.cpu().numpy(), maximize=True)
    return torch.from_numpy(order).to(sent.device)


def _standardised(components: Tensor) -> Tensor:
    centred = components.double() - components.double().mean(0)
    return centred / centred.norm(dim=0).clamp(min=1e-12)


def undo(heard: Tensor, order: Tensor) -> Tensor:
    """Put the components back into the order in which they were sent.

    Args:
        heard: float ``[B, d]``, or the features of receptions ``[B, d + 1]``, whose last is none of
            the components.
        order: As :func:`estimate_order` returns it, int ``[d]``.

    Returns:
        The same shape.

    Example:
        >>> undo(torch.tensor([[30.0, 10.0, 20.0, 0.9]]), torch.tensor([2, 0, 1]))
        tensor([[10.0000, 20.0000, 30.0000,  0.9000]])
    """
    restored = heard.clone()
    restored[:, order] = heard[:, : len(order)]
    return restored
