"""semveil: private and robust semantic communications, trained, protected, attacked, measured."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semveil import api, attacks, conform, data, eavesdroppers, phy
    from semveil.api import export, harden, load, run, train
    from semveil.evaluation.api import audit
    from semveil.evaluation.attack_api import attack
    from semveil.experiment.evaluate import evaluate
    from semveil.experiment.link import Link
    from semveil.result import Result

    __version__: str

# Where each public name is defined; None for modules. A name is loaded when it is first used:
# importing the package, as the help of the command line does, is instant and imports no torch.
_HOMES = {
    "Link": "semveil.experiment.link",
    "Result": "semveil.result",
    "api": None,
    "attack": "semveil.evaluation.attack_api",
    "attacks": None,
    "audit": "semveil.evaluation.api",
    "conform": None,
    "data": None,
    "eavesdroppers": None,
    "evaluate": "semveil.experiment.evaluate",
    "export": "semveil.api",
    "harden": "semveil.api",
    "load": "semveil.api",
    "phy": None,
    "run": "semveil.api",
    "train": "semveil.api",
}

__all__ = [
    "Link",
    "Result",
    "__version__",
    "api",
    "attack",
    "attacks",
    "audit",
    "conform",
    "data",
    "eavesdroppers",
    "evaluate",
    "export",
    "harden",
    "load",
    "phy",
    "run",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("semveil")
    if name not in _HOMES:
        raise AttributeError(f"module 'semveil' has no attribute '{name}'")
    home = _HOMES[name]
    return import_module(f"semveil.{name}") if home is None else getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
