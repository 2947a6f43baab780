"""Our definitions of SNR, noise and fading as tests of somebody else's channel."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semveil.conform.calling import Called, Complex, Form, fitted, name_of, reproducible
from semveil.conform.fading_checks import FADINGS, Draws, Fading, fading_checks
from semveil.conform.report import (
    Check,
    Level,
    Report,
    correlation_check,
    decibel,
    in_db,
    level,
)
from semveil.errors import SemveilError, shown

_IMAGES, _SYMBOLS = 1024, 128
_CALLS, _FEW_SYMBOLS, _CLEAN_DB = 16, 16, 40.0
_LOUD = 4.0
_ROUNDING = 1e-9  # power of the errors of float32 beside symbols of unit power


def channel(
    function: Callable[..., Any],
    *,
    snr_db: Sequence[float] = (0.0, 10.0, 20.0),
    fading: Fading = "auto",
    form: Form = "auto",
    name: str | None = None,
    seed: int = 0,
) -> Report:
    """Test a channel: SNR per complex symbol, noise, gain, and fading with its phase.

    Every check is a statistical test that fails a channel that conforms with a probability of at
    most 10⁻⁵. Levels may be 0.1 dB off.

    Args:
        function: Symbols of unit mean power and an SNR in dB → received symbols; or a pair of
            these and the channel coefficients, one per image; or a ``Reception``. It is called
            with torch or numpy arrays, complex ``[B, k]`` or real ``[B, 2, k]``, whichever it
            takes; the report says which.
        snr_db: SNRs to test, dB.
        fading: ``awgn``, ``rayleigh`` or ``rician``; ``auto`` takes a channel whose coefficients
            vary as Rayleigh fading.
        form: ``complex`` or ``real``, where a function takes both but means one; ``auto`` tries
            complex arrays first.
        name: Name in messages; the function's own if omitted.
        seed: Seed of the symbols, and of torch's and numpy's global generators.

    Raises:
        SemveilError: If the function fails, or returns what is no received signal.

    Example:
        >>> from semveil.channel import Channel
        >>> channel(Channel("rayleigh")).ok
        True
        >>> def noisy(z, snr_db):  # the noise of a real channel
        ...     sigma = 10 ** (-snr_db / 20)
        ...     return z + sigma * (np.random.normal(size=z.shape)
        ...                         + 1j * np.random.normal(size=z.shape))
        >>> channel(noisy, snr_db=[10]).failures[0].says[9:53]
        ' noise variance σ² in each real component in'
    """
    name = name or name_of(function)
    levels = [float(value) for value in snr_db]
    if not levels or not all(map(math.isfinite, levels)):
        raise SemveilError("snr_db: expected at least one finite number in dB, such as 10")
    if fading not in FADINGS:
        raise SemveilError(f"fading: expected {', '.join(FADINGS)}, not {shown(repr(fading))}")
    with reproducible(seed, name):
        called = fitted(function, name, form, [levels[0]])
        report = _tested(called, levels, fading, np.random.default_rng(seed))
    if report.ok or form != "auto" or called.form == "real":
        return report
    with warnings.catch_warnings(), suppress(SemveilError):
        warnings.simplefilter("ignore")
        other = channel(function, snr_db=snr_db, fading=fading, form="real", name=name, seed=seed)
        if other.ok:
            report.notes.append(
                f"it conforms when called with {other.took}: state the form real if it takes these"
            )
    return report


@dataclass(frozen=True)
class _Heard:
    """A batch as sent and as received, complex ``[B, k]``."""

    sent: Complex
    received: Complex

    @cached_property
    def gain(self) -> Complex:
        """Least-squares coefficient of every image, ``[B]``."""
        found: Complex = (self.sent.conj() * self.received).sum(1)
        return found / (np.abs(self.sent) ** 2).sum(1)

    @cached_property
    def noise(self) -> Complex:
        """What is left of the received symbols, ``[B, k]``."""
        return self.received - self.gain[:, None] * self.sent

    @cached_property
    def powers(self) -> NDArray[np.float64]:
        """Noise per symbol of every image, ``[B]``; one degree of freedom went to the gain."""
        found: NDArray[np.float64] = (np.abs(self.noise) ** 2).sum(1) / (self.sent.shape[1] - 1)
        return found

    @property
    def silent(self) -> bool:
        """Whether there is nothing but rounding."""
        return float(self.powers.mean()) < _ROUNDING


def _symbols(source: np.random.Generator, images: int, symbols: int) -> Complex:
    """Return circular Gaussian symbols of unit power in every image."""
    z = source.normal(size=(images, symbols)) + 1j * source.normal(size=(images, symbols))
    return z / np.sqrt((np.abs(z) ** 2).mean(1, keepdims=True))


def _tested(
    called: Called, levels: Sequence[float], fading: Fading, source: np.random.Generator
) -> Report:
    draws, csi = [], []
    clean: list[_Heard] = []
    for _ in range(_CALLS):
        sent = _symbols(source, _IMAGES, _FEW_SYMBOLS)
        received, coefficients = called(sent, _CLEAN_DB)
        clean.append(_Heard(sent, received))
        draws.append(clean[-1].gain)
        csi.append(coefficients)
    found = Draws(np.stack(draws), float(np.mean([heard.powers.mean() for heard in clean])))
    took = called.took
    flat = _flat(clean)
    if not flat.ok:
        return Report(called.name, "channel", took, [flat])
    sent = _symbols(source, _IMAGES, _SYMBOLS)
    heard = {snr: _Heard(sent, called(sent, snr)[0]) for snr in levels}
    first = heard[levels[0]]
    checks = _snr(heard)
    if not first.silent:
        again = _Heard(sent, called(sent, levels[0])[0])
        loud = np.where(np.arange(_IMAGES) % 2, math.sqrt(_LOUD), 1.0)[:, None] * sent
        checks += _noise(first, again, found.constant)
        checks.append(_nominal(first, _Heard(loud, called(loud, levels[0])[0])))
    checks += [flat, *fading_checks(found, fading)]
    if csi[0] is not None:
        checks.append(_csi(found.h.ravel(), np.concatenate([c for c in csi if c is not None])))
    kind = "no fading" if found.constant else "fading"
    return Report(called.name, "channel", f"{took}; {kind}", checks)


def _flat(clean: Sequence[_Heard]) -> Check:
    """Check that one coefficient multiplies all symbols of an image.

    Fading that changes from symbol to symbol leaves a remainder whose power follows that of the
    symbol; one over several symbols leaves one that holds the symbol before.
    """
    name = "one coefficient per image"
    noise = np.concatenate([heard.noise for heard in clean])
    sent = np.concatenate([heard.sent for heard in clean])
    spread = np.abs(sent) > np.median(np.abs(sent))
    loud, quiet = (np.abs(noise[part]) ** 2 for part in (spread, ~spread))
    if loud.mean() < _ROUNDING:
        return Check(name, True, "flat")
    ratio = decibel(float(loud.mean()) / float(quiet.mean()))
    if ratio > 1.0:
        mistake = "fading changes from symbol to symbol; ours is one draw per image (block fading)"
        return Check(name, False, f"the remainder follows the symbols, {in_db(ratio)}: {mistake}")
    before = np.concatenate([_path_before(heard) for heard in clean])
    # Noise alone leaves its power over the number of symbols.
    if float(before.mean()) > 3 * float((np.abs(noise) ** 2).mean()) / _FEW_SYMBOLS:
        mistake = "a symbol reaches the next one (multipath): only flat fading can be tested"
        return Check(name, False, mistake)
    return Check(name, True, "flat")


def _path_before(heard: _Heard) -> NDArray[np.float64]:
    """Return the power with which the symbol before is received, of every image."""
    before = heard.sent[:, :-1]
    found: Complex = (before.conj() * heard.noise[:, 1:]).sum(1)
    return np.abs(found / (np.abs(before) ** 2).sum(1)) ** 2


def _snr(heard: dict[float, _Heard]) -> list[Check]:
    offsets = {snr: level(h.powers, 10 ** (-snr / 10)) for snr, h in heard.items()}
    # The noise's offset up is the SNR's down.
    found = {snr: Level(-off.db, -off.high, -off.low) for snr, off in offsets.items()}
    mistake = "there is no noise"
    if not all(each.silent for each in heard.values()):
        mistake = _snr_mistake(found, _real_only(next(iter(heard.values())).noise))
    return [
        off.check(f"SNR at {snr:g} dB", f"{snr + off.db:.2f} dB measured", mistake)
        for snr, off in found.items()
    ]


def _snr_mistake(found: dict[float, Level], real: bool) -> str:
    measured = {snr: snr + off.db for snr, off in found.items()}
    if len(found) > 1:
        nominal, got = np.array(list(measured)), np.array(list(measured.values()))
        if np.ptp(got) < 0.3 < np.ptp(nominal):
            return f"the SNR of the call is ignored; it is {got.mean():.1f} dB at every nominal SNR"
        for factor, mistake in (
            (0.5, "noise variance 10^(−SNR/20) instead of 10^(−SNR/10)?"),
            (2.0, "noise amplitude 10^(−SNR/10) instead of 10^(−SNR/20)?"),
        ):
            if np.abs(got - factor * nominal).max() < 0.2:
                return mistake
            if np.abs(got - factor * nominal + 3.01).max() < 0.2:
                return f"{mistake} And noise variance σ² in each real component instead of σ²/2"
        if all(abs(m - decibel(max(snr, 1e-9))) < 0.2 for snr, m in measured.items() if snr > 0):
            return "the SNR is taken as a ratio: it is given in dB"
    if all(off.near(-3.01) for off in found.values()):
        return (
            "noise variance σ² in each real component instead of σ²/2: "
            "noise of a real channel on complex symbols?"
        )
    if all(off.near(3.01) for off in found.values()):
        return (
            "noise in one of two components: real noise on complex symbols?"
            if real
            else "half the noise: unit power per real component assumed, or Eb/N0 of QPSK?"
        )
    if all(off.db > 0 for off in found.values()):
        return "less noise than σ² = 10^(−SNR/10) per complex symbol of unit power"
    return "noise is not σ² = 10^(−SNR/10) per complex symbol of unit power"


def _real_only(noise: Complex) -> bool:
    return float((noise.imag**2).mean()) < 0.02 * float((noise.real**2).mean())


def _noise(first: _Heard, again: _Heard, constant: bool) -> list[Check]:
    noise = first.noise
    circular = correlation_check(
        "noise is circular",
        noise,
        noise.conj(),
        "equal in both components",
        "the noise is real: both components need σ²/2"
        if _real_only(noise)
        else "the components' noise is correlated, or not equal",
    )
    fourth = (
        float((np.abs(noise) ** 4).mean()) / max(float((np.abs(noise) ** 2).mean()), 1e-30) ** 2
    )
    # The mean fourth power of Gaussian noise is twice its squared power; standard error 2/√N.
    most = max(0.1, 10 / math.sqrt(noise.size))
    rows = [
        circular,
        correlation_check(
            "noise is white",
            noise[:, 1:],
            noise[:, :-1],
            "uncorrelated symbols",
            "neighbouring symbols share noise",
        ),
        correlation_check(
            "noise is fresh in each call",
            noise,
            again.noise,
            "uncorrelated calls",
            "the noise is the same in every call: is a generator seeded inside?",
        ),
        _images(noise),
    ]
    if all(row.ok for row in rows):
        rows += [_even(first, fourth, constant)]
    if all(row.ok for row in rows):
        rows.append(
            Check(
                "noise is Gaussian",
                abs(fourth - 2) <= most,
                f"fourth moment {fourth:.2f} of 2"
                + ("" if abs(fourth - 2) <= most else ": the noise is not complex Gaussian"),
            )
        )
    return rows


def _images(noise: Complex) -> Check:
    name, half = "noise differs from image to image", len(noise) // 2
    mistake = "images of a batch share their noise: is one draw broadcast over the batch?"
    neighbours = correlation_check(name, noise[1:], noise[:-1], "uncorrelated images", mistake)
    mistake = "images i and i + B/2 share their noise"
    return (
        correlation_check(name, noise[:half], noise[half:], "uncorrelated images", mistake)
        if neighbours.ok
        else neighbours
    )


def _even(heard: _Heard, fourth: float, constant: bool) -> Check:
    """Check that the noise has the same variance in every image, whatever its fading.

    ``(k − 1)·var(p)/mean(p)²`` of the images' powers is the fourth moment minus one, with a
    relative standard error of ``√(2/B)``.
    """
    name, powers = "same noise variance in every image", heard.powers
    spread = (heard.sent.shape[1] - 1) * float(powers.var()) / float(powers.mean()) ** 2
    spread /= fourth - 1
    if 0.5 <= spread <= 1.5:
        return Check(name, True, "independent of image and fading")
    if spread < 0.5:
        mistake = "the noise is scaled to exactly its nominal energy: only its mean is nominal"
    elif constant:
        mistake = "it varies without fading: is the signal equalised before it is returned (y/h)?"
    else:
        follows = np.corrcoef(np.log(powers), np.log(np.abs(heard.gain) ** 2))[0, 1]
        mistake = (
            "the noise follows the received power |h|², which erases the deep fades"
            if follows > 0.5
            else "the noise differs between images at one SNR"
        )
    return Check(name, False, f"variance over images {spread:.2f} times the defined one: {mistake}")


def _nominal(unit: _Heard, mixed: _Heard) -> Check:
    """Check that neither gain nor noise depends on the power of what is sent.

    Every other image of a batch is sent with four times the power.
    """
    name = "noise is nominal"
    reference = float(unit.powers.mean())
    odd = np.arange(len(mixed.powers)) % 2 == 1
    quiet, loud = (level(mixed.powers[part], reference) for part in (~odd, odd))
    gains = np.abs(mixed.gain) ** 2
    # Fading varies, so the ratio is a median's and only tells a gain apart that follows the power.
    ratio = decibel(float(np.median(gains[odd])) / max(float(np.median(gains[~odd])), 1e-30))
    if ratio < -3:
        return Check(
            name, False, f"a louder image has {in_db(ratio)} of gain: the waveform is rescaled"
        )
    if not quiet.off and not loud.off:
        return Check(name, True, "independent of the waveform's power", loud.db)
    if loud.db - quiet.db > 3:
        return Check(
            name,
            False,
            f"an image of four times the power has {in_db(loud.db)} of noise: SNR per image, "
            "instead of fixed noise 10^(−SNR/10) for unit power",
            loud.db,
        )
    return Check(
        name,
        False,
        f"a louder image in the batch changes the noise of the others by {in_db(quiet.db)}: "
        "noise scaled by the power of the whole batch",
        quiet.db,
    )


def _csi(gains: Complex, csi: Complex) -> Check:
    """Check that the returned coefficients are those of the signal."""
    name = "returned coefficients"

    def error(guess: Complex) -> float:
        return float((np.abs(guess - gains) ** 2).sum() / (np.abs(gains) ** 2).sum())

    if (off := error(csi)) < 0.01:
        return Check(name, True, "those of the received signal")
    mistake = "they are not those of the received signal"
    if error(csi.conj()) < 0.01:
        mistake = "they are conjugated"
    elif np.abs(np.abs(csi) - np.abs(gains)).max() < 0.1 * np.abs(gains).max():
        mistake = "their magnitude is right, their phase is not"
    return Check(name, False, f"relative error {in_db(decibel(off))}: {mistake}")
