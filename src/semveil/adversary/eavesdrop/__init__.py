"""Eve: passive adversaries who infer the label or reconstruct the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semveil.recipe import AuditConfig
from semveil.registry import Registry

if TYPE_CHECKING:
    from semveil.adversary.eavesdrop.eavesdropper import Eavesdropper

EAVESDROPPERS: Registry[Eavesdropper] = Registry(
    "eavesdropper",
    "semveil.adversary.eavesdrop",
    section=AuditConfig,
    prefixes=("inference", "inversion"),
)
