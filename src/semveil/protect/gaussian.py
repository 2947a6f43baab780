"""Differential privacy of the channel's noise at Eve's antenna: the Gaussian mechanism, exactly.

Eve receives ``y = h z + w`` with ``w ~ CN(0, σ²)``: a Gaussian mechanism on the waveform with a
standard deviation of ``σ/√2`` per real. The guarantee is physical: it holds at the assumed SNR of
Eve and is void if hers is higher.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

from scipy.special import log_ndtr


def waveform_sensitivity(channel_uses: int) -> float:
    """Return the largest ℓ2 distance between two waveforms of unit power per symbol.

    Args:
        channel_uses: Complex symbols, ``k``.

    Returns:
        ``2√k``: a waveform and its negative.

    Example:
        >>> waveform_sensitivity(16)
        8.0
    """
    return 2 * math.sqrt(channel_uses)


def noise_deviation(snr_db: float) -> float:
    """Return the standard deviation per real of the noise at an SNR: ``√(σ²/2)``.

    Args:
        snr_db: ``E_s/N_0`` of a unit-power symbol, dB.

    Example:
        >>> round(noise_deviation(0.0), 4)
        0.7071
    """
    return math.sqrt(10 ** (-snr_db / 10) / 2)


def gaussian_delta(epsilon: float, sensitivity: float, sigma: float) -> float:
    """Return the smallest δ at which Gaussian noise is (ε, δ)-differentially private.

    ``δ(ε) = Φ(Δ/2σ − εσ/Δ) − e^ε Φ(−Δ/2σ − εσ/Δ)``: Balle and Wang, "Improving the Gaussian
    mechanism" (ICML 2018), Theorem 8; exact for all ε, unlike the textbook's bound.

    Args:
        epsilon: ε ≥ 0.
        sensitivity: Largest ℓ2 distance Δ between two inputs' means.
        sigma: Standard deviation per real.

    Returns:
        δ in [0, 1].

    Raises:
        ValueError: If an argument is negative, or ``sigma`` zero.

    Example:
        >>> round(gaussian_delta(1.0, 1.0, 1.0), 4)
        0.1269
    """
    if epsilon < 0 or sensitivity < 0 or not sigma > 0:
        raise ValueError(f"no Gaussian mechanism: {epsilon=}, {sensitivity=}, {sigma=}")
    if sensitivity == 0:
        return 0.0
    ratio = sensitivity / sigma
    first = log_ndtr(ratio / 2 - epsilon / ratio)
    second = epsilon + log_ndtr(-ratio / 2 - epsilon / ratio)
    # Both terms may be near 1 with a tiny difference: the larger is factored out.
    return max(0.0, -math.exp(first) * math.expm1(min(0.0, second - first)))


def rayleigh_delta(epsilon: float, sensitivity: float, sigma: float) -> float:
    """Return δ(ε) under Rayleigh fading whose coefficient Eve knows exactly.

    One ``h ~ CN(0, 1)`` per message, independent of the image, multiplies the sensitivity by
    ``|h|``; since she sees ``h``, δ is the mean of :func:`gaussian_delta` over ``|h|² ~ Exp(1)``.
    An Eve who does not know ``h`` learns no more.

    Args:
        epsilon: ε ≥ 0.
        sensitivity: Largest ℓ2 distance between two transmitted waveforms.
        sigma: Standard deviation of the noise per real.

    Example:
        >>> rayleigh_delta(0.0, 1.0, 1.0) < gaussian_delta(0.0, 1.0, 1.0)
        True
        >>> rayleigh_delta(5.0, 1.0, 1.0) > gaussian_delta(5.0, 1.0, 1.0)
        True
    """
    from scipy.integrate import quad

    def weighted(power: float) -> float:
        delta = gaussian_delta(epsilon, math.sqrt(power) * sensitivity, sigma)
        return delta * math.exp(-power)

    # The integrand turns where |h|²Δ²/2σ², the mean privacy loss, passes ε.
    turn = 2 * epsilon * (sigma / sensitivity) ** 2 if sensitivity > 0 else 0.0
    ends = [0.0, *sorted({max(turn / 2, 0.1), max(2 * turn, 1.0), max(4 * turn, 10.0)}), math.inf]
    return sum(quad(weighted, a, b, epsabs=1e-14)[0] for a, b in pairwise(ends))


_DELTAS: dict[str, Callable[[float, float, float], float]] = {
    "awgn": gaussian_delta,
    "rayleigh": rayleigh_delta,
}


def gaussian_epsilon(
    delta: float,
    sensitivity: float,
    sigma: float,
    fading: Literal["awgn", "rayleigh"] = "awgn",
) -> float:
    """Return the smallest ε at which Gaussian noise is (ε, δ)-differentially private.

    Args:
        delta: δ in (0, 1).
        sensitivity: Largest ℓ2 distance between two transmitted waveforms.
        sigma: Standard deviation of the noise per real.
        fading: Eve's channel: ``awgn``, or ``rayleigh`` with ``h`` known to Eve.

    Returns:
        ε ≥ 0.

    Raises:
        ValueError: If δ does not lie in (0, 1), or an argument is negative.

    Example:
        >>> round(gaussian_epsilon(1e-5, 1.0, 1.0), 2)
        4.38
    """
    from scipy.optimize import brentq

    if not 0 < delta < 1:
        raise ValueError(f"δ must lie between 0 and 1, not {delta}")
    excess = _DELTAS[fading]
    if excess(0.0, sensitivity, sigma) <= delta:
        return 0.0
    high = 1.0
    while excess(high, sensitivity, sigma) > delta:
        high *= 2
    return float(
        brentq(lambda epsilon: excess(epsilon, sensitivity, sigma) - delta, 0.0, high, xtol=1e-9)
    )
