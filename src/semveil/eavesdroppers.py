"""Eavesdroppers as objects, with settings of their own.

``semveil.eavesdroppers.MLPInference(width=1024)`` makes one; a subclass of :class:`Eavesdropper`
works as well, and can be chosen by its name after ``@EAVESDROPPERS.register``. :func:`standard`
returns those whom an audit should have at least.
"""

from __future__ import annotations

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Knowledge, Observations
from semveil.adversary.eavesdrop.inference import (
    LinearInference,
    MLPInference,
    SetInference,
    WideInference,
)
from semveil.adversary.eavesdrop.inversion import (
    DeconvInversion,
    Inversion,
    LinearInversion,
    MLPInversion,
    SetInversion,
)
from semveil.adversary.eavesdrop.known_plaintext import KnownPlaintext
from semveil.adversary.eavesdrop.rmle import RMLE
from semveil.adversary.eavesdrop.shadow import Shadow

__all__ = [
    "EAVESDROPPERS",
    "RMLE",
    "DeconvInversion",
    "Eavesdropper",
    "Inversion",
    "Knowledge",
    "KnownPlaintext",
    "LinearInference",
    "LinearInversion",
    "MLPInference",
    "MLPInversion",
    "Observations",
    "SetInference",
    "SetInversion",
    "Shadow",
    "WideInference",
    "standard",
]


def standard() -> list[Eavesdropper]:
    """Return every eavesdropper of this package who learns from receptions alone.

    Those who do not depend on the order of the components are among them: a permutation hides
    nothing else.

    Example:
        >>> len(standard())
        8
    """
    return [
        LinearInference(),
        MLPInference(),
        WideInference(),
        SetInference(),
        LinearInversion(),
        MLPInversion(),
        DeconvInversion(),
        SetInversion(),
    ]
