"""Which eavesdroppers a recipe names."""

from __future__ import annotations

from typing import Any

from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper
from semveil.adversary.eavesdrop.suite import standard
from semveil.errors import SemveilError, unknown
from semveil.recipe import AuditConfig


def find(kind: str, name: str, key: str = "") -> type[Eavesdropper]:
    """Return a registered eavesdropper by what a recipe calls her.

    Args:
        kind: ``inference`` or ``inversion``, by receptions alone; or ``informed``.
        name: Her name; ``inference/`` or ``inversion/`` before it may be left out.
        key: The setting that names her, for errors; the one of her kind if omitted.

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
        key = key or f"audit.{'attacks' if kind == 'informed' else kind}"
        raise SemveilError(f"{key}: {unknown('eavesdropper', name, known)}")
    return EAVESDROPPERS.get(known.get(name, name))


def chosen(settings: AuditConfig, permutes: bool = False) -> list[Eavesdropper]:
    """Return the eavesdroppers that a recipe names, with their settings.

    Args:
        settings: Settings of the audit; ``standard`` among the names stands for the suite.
        permutes: Whether a key permutes the components of the waveform.

    Example:
        >>> chosen(AuditConfig(inference=["mlp"], inversion=["linear"]))
        [MLPInference(width=256), LinearInversion(loss='mse')]
    """
    suite = standard(permutes)
    found: list[tuple[type[Eavesdropper], dict[str, Any]]] = []
    for where, names in (("inference", settings.inference), ("inversion", settings.inversion)):
        for name in names:
            if name == "standard":
                found += [
                    (type(eve), eve.config.model_dump(exclude_unset=True))
                    for eve in suite
                    if eve.kind() == where
                ]
            else:
                losses = [loss for loss in settings.losses if loss != "perceptual"]
                changes = [{"loss": loss} for loss in losses] if where == "inversion" else [{}]
                found += [(find(where, name), change) for change in changes]
    if "perceptual" in settings.losses and settings.inversion:
        found += [(find("inversion", name), {"loss": "perceptual"}) for name in settings.perceptual]
    found += [(find("informed", name), {}) for name in settings.attacks]
    eves = [kind(settings.of(kind.Config).model_copy(update=changes)) for kind, changes in found]
    return list({eve.adversary: eve for eve in eves}.values())
