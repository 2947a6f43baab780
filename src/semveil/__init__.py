"""semveil: private and robust semantic communications, trained, protected, attacked, measured.

``semveil.audit`` lets eavesdroppers attack any transmitter, ``semveil.attack`` perturbs what any
receiver hears; the command ``semveil`` does the rest.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semveil.evaluation.api import AuditResult, audit
    from semveil.evaluation.attack_api import attack

__version__ = version("semveil")
__all__ = ["AuditResult", "__version__", "attack", "audit"]


def __getattr__(name: str) -> Any:
    # Loaded when first used: importing the package, as the command line's help does, stays
    # instant, and torch is not imported for it.
    if name in ("audit", "AuditResult"):
        from semveil.evaluation import api

        return getattr(api, name)
    if name == "attack":
        from semveil.evaluation.attack_api import attack

        return attack
    raise AttributeError(f"module 'semveil' has no attribute '{name}'")
