"""The standard suite of eavesdroppers, which adapts to a system."""

from __future__ import annotations

from semveil.adversary.eavesdrop.bayes import BayesInference
from semveil.adversary.eavesdrop.demodulation import DemodulatingInference
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.eavesdrop.flow import FlowInversion
from semveil.adversary.eavesdrop.inference import (
    LinearInference,
    MLPInference,
    SetInference,
    WideInference,
)
from semveil.adversary.eavesdrop.inversion import (
    LinearInversion,
    MLPInversion,
    ResidualInversion,
    SetInversion,
    WideInversion,
)

STANDARD_VERSION = "2"
"""Version of the suite: figures of different versions do not compare."""


def standard(permutes: bool = True) -> list[Eavesdropper]:
    """Return the standard suite.

    Several capacities, and an inverter for each metric by which reconstructions are scored. The one
    who demodulates takes part where symbols come from few points.

    Args:
        permutes: Whether those who do not depend on the order of the components belong to it: where
            a key permutes them, nothing else is hidden.

    Example:
        >>> len(standard()), len(standard(permutes=False))
        (14, 12)
    """
    sets: list[Eavesdropper] = [SetInference(), SetInversion()] if permutes else []
    return [
        LinearInference(),
        MLPInference(),
        WideInference(),
        DemodulatingInference(),
        BayesInference(),
        LinearInversion(),
        MLPInversion(loss="log-mse"),
        WideInversion(loss="log-mse"),
        WideInversion(loss="ssim"),
        WideInversion(loss="mi"),
        ResidualInversion(loss="log-mse"),
        FlowInversion(),
        *sets,
    ]
