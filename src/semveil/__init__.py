"""semveil: private and robust semantic communications, trained, protected, attacked, measured."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from semveil.evaluation.api import audit
    from semveil.evaluation.attack_api import attack
    from semveil.result import Result

    __version__: str

# Where each public name is defined. A name is loaded when it is first used: importing the
# package, as the help of the command line does, is instant and imports no torch.
_HOMES = {
    "Result": "semveil.result",
    "attack": "semveil.evaluation.attack_api",
    "audit": "semveil.evaluation.api",
}
_MODULES = ("attacks", "data", "phy")

__all__ = ["Result", "__version__", "attack", "audit"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("semveil")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _MODULES:
        return import_module(f"semveil.{name}")
    raise AttributeError(f"module 'semveil' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
