"""Training of links: the loop, objectives, adversarial training, checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semveil.registry import Registry

if TYPE_CHECKING:
    from semveil.training.robust import AdversarialTraining

TRAININGS: Registry[AdversarialTraining] = Registry(
    "adversarial training", "semveil.training.robust", plural="adversarial-training"
)
