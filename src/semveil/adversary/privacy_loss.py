"""Losses by which Alice keeps Eve from the label: three bounded forms.

An unbounded loss, −CE of Eve's answer, is minimised by making one of her logits explode. Each form
here has a finite optimum, at or near a posterior that says nothing of the label.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from semveil.errors import unknown


def clipped(logits: Tensor, labels: Tensor) -> Tensor:
    """Reward Eve's cross-entropy no further than chance: ``−min(CE, ln C)``.

    Args:
        logits: Eve's scores, float ``[B, C]``.
        labels: True labels, int ``[B]``.

    Returns:
        Loss per image, float ``[B]``, in ``[−ln C, 0]``.

    Example:
        >>> import torch
        >>> clipped(torch.tensor([[0.0, 50.0]]), torch.tensor([0]))
        tensor([-0.6931])
    """
    return -F.cross_entropy(logits, labels, reduction="none").clamp(max=math.log(logits.shape[1]))


def uniform(logits: Tensor, labels: Tensor) -> Tensor:
    """Draw Eve's posterior towards the uniform one: ``KL(uniform ‖ Eve)``.

    Args:
        logits: Eve's scores, float ``[B, C]``.
        labels: True labels, not used: the loss is the same for every class.

    Returns:
        Loss per image, float ``[B]``, zero where her posterior is uniform.

    Example:
        >>> import torch
        >>> uniform(torch.zeros(1, 10), torch.tensor([3])).abs() < 1e-6
        tensor([True])
    """
    return -F.log_softmax(logits, dim=1).mean(1) - math.log(logits.shape[1])


def gap(logits: Tensor, labels: Tensor) -> Tensor:
    """Draw Eve's cross-entropy to that of chance from either side: ``|CE − ln C|``.

    Args:
        logits: Eve's scores, float ``[B, C]``.
        labels: True labels, int ``[B]``.

    Returns:
        Loss per image, float ``[B]``.

    Example:
        >>> import torch
        >>> gap(torch.zeros(1, 10), torch.tensor([3])).abs() < 1e-6
        tensor([True])
    """
    chance = math.log(logits.shape[1])
    return (F.cross_entropy(logits, labels, reduction="none") - chance).abs()


FORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "clipped": clipped,
    "uniform": uniform,
    "gap": gap,
}


def privacy_loss(form: str) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a form by name.

    Raises:
        SemveilError: If there is none of that name.

    Example:
        >>> import torch
        >>> privacy_loss("gap")(torch.zeros(2, 4), torch.tensor([0, 1])).shape
        torch.Size([2])
    """
    if form not in FORMS:
        raise unknown("privacy form", form, FORMS)
    return FORMS[form]
