"""Figures made of records and samples alone; matplotlib is loaded when the first is drawn."""

from semveil.report.figures.attacks import against_psr, by_class
from semveil.report.figures.curves import (
    against_dimension,
    against_snr,
    image_quality,
    parties,
    systems_against_snr,
)
from semveil.report.figures.pictures import (
    attack_grid,
    attacked,
    constellation,
    image_grid,
    reconstruction_grid,
    shortened,
)
from semveil.report.figures.points import (
    accuracy_and_leakage,
    by_attribute,
    privacy_utility,
    ratios,
)
from semveil.report.figures.style import inline, save
from semveil.report.figures.training import training_curves
from semveil.report.looks import palette

__all__ = [
    "accuracy_and_leakage",
    "against_dimension",
    "against_psr",
    "against_snr",
    "attack_grid",
    "attacked",
    "by_attribute",
    "by_class",
    "constellation",
    "image_grid",
    "image_quality",
    "inline",
    "palette",
    "parties",
    "privacy_utility",
    "ratios",
    "reconstruction_grid",
    "save",
    "shortened",
    "systems_against_snr",
    "training_curves",
]
