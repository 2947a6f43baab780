"""Our definition of the perturbation-to-signal ratio as a test of somebody else's perturbation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semveil.conform.calling import Complex, Form, fitted, name_of, parameters, reproducible
from semveil.conform.report import TOLERANCE_DB, Check, Report, decibel, in_db
from semveil.errors import SemveilError

_IMAGES, _SYMBOLS = 256, 64
_NOISE = 0.1


def perturbation(
    function: Callable[..., Any],
    *,
    psr_db: Sequence[float] = (-10.0, -3.0),
    form: Form = "auto",
    name: str | None = None,
    seed: int = 0,
) -> Report:
    """Test a perturbation: ``‖δ‖² / ‖signal‖²`` of every image, noise excluded.

    The signals have passed Rayleigh fading, so that their power differs from image to image. The
    ratio is measured without a sampling error, and may be 0.1 dB off.

    Args:
        function: Signal at the victim's antenna, PSR in dB → perturbation δ of the same shape. It
            is called with torch or numpy arrays, complex ``[B, T]`` or real ``[B, 2, T]``,
            whichever it takes. A parameter ``noise_variance`` gets the noise per symbol.
        psr_db: PSRs to test, dB.
        form: As for :func:`channel`.
        name: Name in messages; the function's own if omitted.
        seed: Seed of the signals, and of torch's and numpy's global generators.

    Raises:
        SemveilError: If the function fails, or returns what is no perturbation.

    Example:
        >>> def jam(signal, psr_db):  # the same power for all images
        ...     noise = np.random.normal(size=signal.shape) + 1j
        ...     return noise / np.abs(noise).std() * 10 ** (psr_db / 20)
        >>> perturbation(jam).ok
        False
    """
    name = name or name_of(function)
    levels = [float(value) for value in psr_db]
    if not levels or not all(map(math.isfinite, levels)):
        raise SemveilError("psr_db: expected at least one finite number in dB, such as -10")
    noisy = "noise_variance" in parameters(function)
    extra = [_NOISE] if noisy else []
    source = np.random.default_rng(seed)

    def gaussian(*shape: int) -> Complex:
        both = source.normal(size=(2, *shape)) / math.sqrt(2)
        return np.asarray(both[0] + 1j * both[1], np.complex128)

    signal = gaussian(_IMAGES, 1) * gaussian(_IMAGES, _SYMBOLS)
    power = (np.abs(signal) ** 2).mean(1)
    with reproducible(seed, name):
        called = fitted(function, name, form, [levels[0], *extra])
        checks = [_ratio(called(signal, psr, *extra)[0], signal, power, psr) for psr in levels]
    return Report(name, "perturbation", called.took, checks)


def _ratio(delta: Complex, signal: Complex, power: NDArray[np.float64], psr_db: float) -> Check:
    name = f"PSR at {psr_db:g} dB"
    own = (np.abs(delta) ** 2).mean(1)
    offsets = np.array([decibel(value) for value in own / power]) - psr_db
    worst = float(offsets[np.abs(offsets).argmax()])
    if abs(worst) <= TOLERANCE_DB:
        return Check(name, True, "exact in every image", worst)
    even = float(np.ptp(offsets)) <= TOLERANCE_DB
    ratio = 10 ** (psr_db / 10)
    scale = [decibel(value) for value in own / ratio]
    added = (np.abs(delta - signal) ** 2).mean(1) / power / ratio
    if np.abs([decibel(value) for value in added]).max() <= TOLERANCE_DB:
        mistake = "the signal is returned with its perturbation; return δ alone"
    elif even:
        mistake = _offset_mistake(worst, psr_db)
    elif np.abs(np.array(scale) - decibel(_NOISE)).max() < 1.0:
        mistake = "PSR against the noise; it refers to the signal at the antenna, noise excluded"
    elif abs(decibel(float(own.mean() / power.mean())) - psr_db) <= TOLERANCE_DB:
        mistake = "exact over the batch only; each image has a budget of its own"
    elif np.abs(decibel(float(own.mean())) - psr_db) < 1.0:
        mistake = "against unit power; it refers to each image's signal after fading"
    else:
        mistake = "the ratio differs from image to image"
    span = f"images from {in_db(float(offsets.min()))} to {in_db(float(offsets.max()))}"
    return Check(name, False, f"{in_db(worst) if even else span}: {mistake}", worst)


def _offset_mistake(offset_db: float, psr_db: float) -> str:
    for known, mistake in (
        (-3.01, "half the energy: complex noise of variance ½, or one component only?"),
        (3.01, "twice the energy: unit variance in each real component?"),
        (-psr_db / 2, "10^(PSR/20) is an amplitude, and was taken as a power"),
        (psr_db, "10^(PSR/10) is a power, and was taken as an amplitude"),
        (decibel(1 / _SYMBOLS), "‖δ‖² was divided by the number of symbols once too often"),
        (decibel(_SYMBOLS), "energy of the whole signal in every symbol"),
    ):
        if abs(offset_db - known) < TOLERANCE_DB:
            return mistake
    return "every image has this offset"
