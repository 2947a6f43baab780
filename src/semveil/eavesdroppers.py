"""Eavesdroppers as objects, with settings of their own.

``semveil.eavesdroppers.MLPInference(width=1024)`` makes one; a subclass of :class:`Eavesdropper`
works as well, and can be chosen by its name after ``@EAVESDROPPERS.register``. :func:`standard`
returns those whom an audit should have at least.
"""

from __future__ import annotations

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.bayes import BayesInference
from semveil.adversary.eavesdrop.demodulation import DemodulatingInference
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper, Knowledge, Observations
from semveil.adversary.eavesdrop.flow import FlowInversion
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
    ResidualInversion,
    SetInversion,
    WideInversion,
)
from semveil.adversary.eavesdrop.known_plaintext import KnownPlaintext
from semveil.adversary.eavesdrop.rmle import RMLE
from semveil.adversary.eavesdrop.shadow import Shadow
from semveil.adversary.eavesdrop.suite import STANDARD_VERSION, standard

__all__ = [
    "EAVESDROPPERS",
    "RMLE",
    "STANDARD_VERSION",
    "BayesInference",
    "DeconvInversion",
    "DemodulatingInference",
    "Eavesdropper",
    "FlowInversion",
    "Inversion",
    "Knowledge",
    "KnownPlaintext",
    "LinearInference",
    "LinearInversion",
    "MLPInference",
    "MLPInversion",
    "Observations",
    "ResidualInversion",
    "SetInference",
    "SetInversion",
    "Shadow",
    "WideInference",
    "WideInversion",
    "standard",
]
