"""Figures made of records and samples alone; matplotlib is loaded when the first is drawn."""

from semveil.report.figures.curves import against_dimension, against_snr, parties
from semveil.report.figures.pictures import constellation, reconstruction_grid
from semveil.report.figures.style import inline, palette, save
from semveil.report.figures.tradeoff import privacy_utility
from semveil.report.figures.training import training_curves

__all__ = [
    "against_dimension",
    "against_snr",
    "constellation",
    "inline",
    "palette",
    "parties",
    "privacy_utility",
    "reconstruction_grid",
    "save",
    "training_curves",
]
