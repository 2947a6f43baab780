"""Complex-baseband mathematics: power, noise, fading, estimation and equalisation.

The conventions hold throughout: complex symbols of unit power per image, ``SNR = 1/σ²`` per
complex symbol, ``E|h|² = 1``, and the first dimension counts images.
"""

from semveil.phy.equalise import mmse, zero_forcing
from semveil.phy.estimate import least_squares, least_squares_flat, lmmse_flat
from semveil.phy.fading import flat, rayleigh, rician
from semveil.phy.noise import awgn, noise_variance_to_snr_db, snr_to_noise_variance
from semveil.phy.power import average_power, normalise_power, papr_db

__all__ = [
    "average_power",
    "awgn",
    "flat",
    "least_squares",
    "least_squares_flat",
    "lmmse_flat",
    "mmse",
    "noise_variance_to_snr_db",
    "normalise_power",
    "papr_db",
    "rayleigh",
    "rician",
    "snr_to_noise_variance",
    "zero_forcing",
]
