"""Our definitions of fading as tests of the coefficients that a channel drew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import stats

from semveil.conform.calling import Complex
from semveil.conform.report import ERROR, Check, correlation_check, in_db, level

Fading = Literal["auto", "awgn", "rayleigh", "rician"]
FADINGS = ("auto", "awgn", "rayleigh", "rician")

_SAME = 0.05  # of coefficients of unit mean power


@dataclass(frozen=True)
class Draws:
    """The coefficients of many calls.

    Attributes:
        h: Complex ``[calls, B]``.
        noise: Noise per symbol; each coefficient has been measured with a share of it.
    """

    h: Complex
    noise: float

    @cached_property
    def constant(self) -> bool:
        """Whether all coefficients are one number."""
        return float(self.h.var()) < 0.02 + self.noise

    @cached_property
    def shared(self) -> str:
        """Which images share a draw; empty if none do."""
        half = self.h.shape[1] // 2
        # Over the typical size, which a few large draws do not move.
        size = max(float(np.median(np.abs(self.h))), 1e-12)
        if float(np.median(np.abs(self.h[:, 1:] - self.h[:, :-1]))) < _SAME * size:
            return "batch"
        if float(np.median(np.abs(self.h[:, :half] - self.h[:, half:]))) < _SAME * size:
            return "half"
        return ""

    @cached_property
    def independent(self) -> Complex:
        """One coefficient per draw, ``[N]``."""
        kept = {"batch": 1, "half": self.h.shape[1] // 2, "": self.h.shape[1]}[self.shared]
        return self.h[:, :kept].ravel()


def fading_checks(draws: Draws, fading: Fading) -> list[Check]:
    """Return the checks of gain, independence, phase and distribution."""
    if draws.constant:
        if fading in ("auto", "awgn"):
            return [_unit_gain(draws)]
        return [Check("fading", False, f"{fading} is stated, but every coefficient is the same")]
    if fading == "awgn":
        return [Check("fading", False, "awgn is stated, but the coefficients vary")]
    h = draws.independent
    checks = [_mean_gain(h), _one_per_image(draws), _phase(h)]
    if fading != "rician" and checks[-1].ok:
        checks.append(_rayleigh(h))
    return checks


def _unit_gain(draws: Draws) -> Check:
    name, h = "gain of one", complex(draws.h.mean())
    off_db = 20 * math.log10(max(abs(h), 1e-12))
    if abs(off_db) > 0.1:
        mistake = "every symbol is scaled; h = 1 without fading"
        return Check(name, False, f"{in_db(off_db)}: {mistake}", off_db)
    angle = math.degrees(math.atan2(h.imag, h.real))
    if abs(angle) > 1:
        return Check(name, False, f"every symbol is turned by {angle:.1f}°; h = 1 without fading")
    return Check(name, True, "h = 1", off_db)


def _mean_gain(h: Complex) -> Check:
    found = level(np.abs(h) ** 2)
    mistake = "E|h|² = 1 is required"
    if found.near(3.01):
        mistake += ": unit variance in each real component (√2 is missing)?"
    elif found.near(-3.01):
        mistake += ": only one real component of variance ½?"
    elif found.near(1.05):
        mistake += ", not E|h| = 1?"
    return found.check("mean gain E|h|²", f"1 within the interval, {len(h)} draws", mistake)


def _one_per_image(draws: Draws) -> Check:
    name = "one draw per image"
    if draws.shared == "batch":
        return Check(name, False, "one draw is shared by the whole batch")
    if draws.shared == "half":
        return Check(name, False, "images i and i + B/2 share a draw")
    centred = draws.h - draws.h.mean()
    mistake = "the fading of neighbouring images is correlated"
    return correlation_check(name, centred[:, 1:], centred[:, :-1], "uncorrelated images", mistake)


def _phase(h: Complex) -> Check:
    """Check that the phase is uniform: ``N·|mean(exp(jnφ))|²`` is exponential for n = 1, 2."""
    name, turn = "uniform phase", h / np.abs(h)
    most = max(0.02, math.sqrt(-math.log(ERROR) / len(h)))
    first, second = abs(turn.mean()), abs((turn**2).mean())
    if first > most:
        mistake = (
            "amplitude without phase: Rayleigh fading is complex"
            if float(np.abs(h.imag).mean()) < 0.05 * float(np.abs(h).mean())
            else "the phase is not uniform"
        )
        return Check(name, False, f"mean direction {first:.2f} of 0: {mistake}")
    if second > most:
        mistake = (
            "h is a real Gaussian number: Rayleigh fading is complex"
            if second > 0.95
            else "the components of h differ in variance, or are correlated"
        )
        return Check(name, False, f"mean double angle {second:.2f} of 0: {mistake}")
    return Check(name, True, f"{len(h)} draws")


def _rayleigh(h: Complex) -> Check:
    name, power = "Rayleigh distribution", np.abs(h) ** 2
    power = power / power.mean()
    distance = stats.kstest(power, "expon")
    if distance.pvalue >= ERROR or distance.statistic < 0.02:
        return Check(name, True, "|h|² is exponential")
    likeness = 2 - float((power**2).mean())
    mistake = "not Rayleigh"
    if likeness > 0.01:
        root = math.sqrt(likeness)
        k_db = 10 * math.log10(root / max(1 - root, 1e-9))
        mistake = f"Rician fading with a K-factor of about {k_db:.1f} dB? State the fading rician"
    return Check(name, False, f"distance {distance.statistic:.2f} from exponential: {mistake}")
