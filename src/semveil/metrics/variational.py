"""A lower bound on mutual information that no binning can inflate: InfoNCE."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from semveil.metrics.base import METRICS, Metric

if TYPE_CHECKING:
    from torch import Tensor


def info_nce(scores: Tensor) -> Tensor:
    """Return what every observation contributes to the InfoNCE bound (van den Oord et al., 2018).

    Out of ``N`` candidates the critic has to find the one that belongs to an observation. The mean
    of what is returned is, in expectation, a lower bound on the mutual information whatever the
    critic, provided that it was not trained on these pairs. It never exceeds ``ln N``: where it
    comes near that ceiling, it says "at least", not "about".

    Args:
        scores: Critic's scores ``[..., N, N]``, a row per observation and a column per
            candidate; the true pairs on the diagonal.

    Returns:
        Contributions in nats, float ``[..., N]``, each at most ``ln N``.

    Raises:
        ValueError: If the scores are not square.

    Example:
        >>> import torch
        >>> info_nce(torch.zeros(4, 4)), bool((info_nce(100 * torch.eye(4)) > 1.38).all())
        (tensor([0., 0., 0., 0.]), True)
    """
    if scores.ndim < 2 or scores.shape[-1] != scores.shape[-2]:
        raise ValueError(f"scores must be [..., N, N], not {list(scores.shape)}")
    shares = scores.float().log_softmax(-1)
    return shares.diagonal(dim1=-2, dim2=-1) + math.log(scores.shape[-1])


@METRICS.register
class InfoNce(Metric):
    """Lower bound on the mutual information of image and reception."""

    name = "infonce_nats"
    title = "information, at least"
    source = "van den Oord et al., arXiv 1807.03748"
    unit = "nats"
    floor_value = 0.0
    ceilings = ("infonce_ceiling_nats",)
