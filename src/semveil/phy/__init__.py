"""Complex-baseband mathematics: power, noise, fading, OFDM, estimation, equalisation, QAM.

The conventions hold throughout: complex symbols of unit power per image, ``SNR = 1/σ²`` per
complex symbol, ``E|h|² = 1``, and the first dimension counts images.
"""

from semveil.phy.clip import clip
from semveil.phy.equalise import mmse, zero_forcing
from semveil.phy.estimate import least_squares, least_squares_flat, lmmse_flat, lmmse_multipath
from semveil.phy.fading import flat, rayleigh, rician
from semveil.phy.measure import measured_snr_db, psr_db
from semveil.phy.multipath import (
    convolve,
    exponential_profile,
    frequency_response,
    multipath_taps,
)
from semveil.phy.noise import awgn, noise_variance_to_snr_db, snr_to_noise_variance
from semveil.phy.ofdm import OFDM, Reception
from semveil.phy.pilots import zadoff_chu
from semveil.phy.power import average_power, normalise_power, normalise_reals, papr_db
from semveil.phy.qam import BPSK, QPSK, Constellation

__all__ = [
    "BPSK",
    "OFDM",
    "QPSK",
    "Constellation",
    "Reception",
    "average_power",
    "awgn",
    "clip",
    "convolve",
    "exponential_profile",
    "flat",
    "frequency_response",
    "least_squares",
    "least_squares_flat",
    "lmmse_flat",
    "lmmse_multipath",
    "measured_snr_db",
    "mmse",
    "multipath_taps",
    "noise_variance_to_snr_db",
    "normalise_power",
    "normalise_reals",
    "papr_db",
    "psr_db",
    "rayleigh",
    "rician",
    "snr_to_noise_variance",
    "zadoff_chu",
    "zero_forcing",
]
