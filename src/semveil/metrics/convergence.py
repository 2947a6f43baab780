"""Whether an adversary's training had ceased to improve when it ended."""

from __future__ import annotations

from semveil.metrics.base import METRICS, Metric


@METRICS.register
class Converged(Metric):
    """1 if the validation loss of Eve's training had ceased to improve, 0 if her epochs ran out."""

    name = title = "converged"
    decimals = 0
    target = "label"
    bounds = (0.0, 1.0)
