"""Which eavesdroppers a recipe names."""

from __future__ import annotations

from typing import Any

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.errors import SemveilError, unknown
from semveil.recipe import AuditConfig


def find(kind: str, name: str) -> type[Eavesdropper]:
    """Return a registered eavesdropper by what a recipe calls her.

    Args:
        kind: ``inference`` or ``inversion``, by receptions alone; or ``informed``.
        name: Her name; ``inference/`` or ``inversion/`` before it may be left out.

    Raises:
        SemveilError: If there is none, with the nearest name.

    Example:
        >>> find("inversion", "deconv").name, find("informed", "rmle").name
        ('inversion/deconv', 'inversion/rmle')
    """
    known = {
        each.rpartition("/")[2]: each for each, eve in EAVESDROPPERS.items() if eve.kind() == kind
    }
    if name not in known and name not in known.values():
        key = "attacks" if kind == "informed" else kind
        raise SemveilError(f"audit.{key}: {unknown('eavesdropper', name, known)}")
    return EAVESDROPPERS.get(known.get(name, name))


def chosen(settings: AuditConfig) -> list[Eavesdropper]:
    """Return the eavesdroppers that a recipe names, with their settings.

    Example:
        >>> chosen(AuditConfig(inference=["mlp"], inversion=["linear"]))
        [MLPInference(width=256), LinearInversion(loss='mse')]
    """
    found: list[tuple[str, str, dict[str, Any]]]
    found = [("inference", name, {}) for name in settings.inference]
    if "mse" in settings.losses:
        found += [("inversion", name, {}) for name in settings.inversion]
    if "perceptual" in settings.losses and settings.inversion:
        found += [("inversion", name, {"loss": "perceptual"}) for name in settings.perceptual]
    found += [("informed", name, {}) for name in settings.attacks]
    eves = []
    for where, name, changes in found:
        kind = find(where, name)
        eves.append(kind(settings.of(kind.Config).model_copy(update=changes)))
    return list({eve.adversary: eve for eve in eves}.values())
