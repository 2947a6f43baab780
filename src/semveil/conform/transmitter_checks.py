"""Our definitions of power and bandwidth ratio as tests of somebody else's transmitter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from semveil.conform.calling import (
    FRAMEWORKS,
    Complex,
    array_of,
    as_complex,
    call,
    first_native,
    name_of,
    parameters,
    reproducible,
)
from semveil.conform.report import TOLERANCE_DB, Check, Report, decibel, in_db, level
from semveil.errors import SemveilError
from semveil.rng import stream

_SAME = 1e-2  # of a waveform's norm
_BATCH = 64


def transmitter(
    function: Callable[..., Any],
    images: object = (1, 32, 32),
    *,
    bandwidth_ratio: float | None = None,
    fixed_gain: bool = False,
    name: str | None = None,
    seed: int = 0,
) -> Report:
    """Test a transmitter: power per image and symbol, independence of the batch, bandwidth ratio.

    Power and bandwidth are measured without a sampling error. With ``fixed_gain`` the mean power
    over images is a statistical test, which fails a transmitter that conforms with a probability
    of at most 10⁻⁵.

    Args:
        function: Images in [0, 1] → waveform, complex ``[B, k]``, real ``[B, 2, k]``, or real
            ``[B, d]`` of which neighbours make a symbol. It is called with torch or numpy arrays,
            float ``[B, C, H, W]``, whichever it takes; a parameter ``generator`` gets a
            ``torch.Generator``.
        images: Images to send, float ``[B, C, H, W]``, or the shape ``(C, H, W)`` of made ones,
            which are smooth, and of any brightness.
        bandwidth_ratio: The stated channel uses per source real; not tested if None.
        fixed_gain: Test the mean power over images only, for gains that must not depend on the
            image.
        name: Name in messages; the function's own if omitted.
        seed: Seed of the images, of ``generator``, and of torch's and numpy's global generators.

    Raises:
        SemveilError: If the function fails, or returns what is no waveform.

    Example:
        >>> from semveil import phy
        >>> def pixels(images):
        ...     pairs = images.flatten(1).unflatten(1, (-1, 2)) - 0.5
        ...     return phy.normalise_power(torch.view_as_complex(pairs.contiguous()))
        >>> transmitter(pixels, (1, 8, 8), bandwidth_ratio=1 / 2).ok
        True
        >>> transmitter(lambda images: 2**0.5 * pixels(images), (1, 8, 8)).failures[0].says[:38]
        '+3.01 dB: unit power per real componen'
    """
    name = name or name_of(function)
    source = array_of(images)
    if source is None:
        source = made_images(images, seed)
    if source.ndim != 4 or len(source) < 2:
        raise SemveilError(
            f"images must be float [B, C, H, W] with at least two images, not {list(source.shape)}"
        )
    with reproducible(seed, name):
        return _tested(
            _fitted(function, name, seed, source[:2]), source, bandwidth_ratio, fixed_gain
        )


def made_images(shape: Any, seed: int) -> NDArray[np.float32]:
    """Return smooth images of any brightness and contrast, float32 ``[64, C, H, W]``.

    Raises:
        SemveilError: If the shape is not three positive numbers.
    """
    if (
        not isinstance(shape, tuple | list)
        or len(shape) != 3
        or not all(isinstance(side, int) and side > 0 for side in shape)
    ):
        raise SemveilError(
            f"images: expected float [B, C, H, W] or a shape such as (3, 32, 32), not {shape!r}"
        )
    channels, height, width = shape
    source = np.random.default_rng(stream(seed, "conform", "images"))
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    turns = source.uniform(0.5, 3.0, (_BATCH, channels, 1, 1, 2))
    phase = source.uniform(0, 2 * np.pi, (_BATCH, channels, 1, 1))
    waves = np.sin(2 * np.pi * (turns[..., 0] * x + turns[..., 1] * y) + phase)
    contrast = source.uniform(0.05, 0.5, (_BATCH, 1, 1, 1))
    level_of = source.uniform(0.0, 1.0, (_BATCH, 1, 1, 1))
    return (level_of + contrast * waves).clip(0, 1).astype(np.float32)


@dataclass(frozen=True)
class _Sender:
    """A transmitter, called with the arrays that it takes."""

    name: str
    function: Callable[..., Any]
    framework: str
    seed: int
    generator: bool

    def __call__(self, images: NDArray[Any]) -> tuple[Complex, str]:
        """Return the waveform, and the form in which it was returned."""
        found = array_of(self.returned(images))
        assert found is not None
        if found.ndim == 2 and not np.iscomplexobj(found):
            return found[:, ::2] + 1j * found[:, 1::2], "real [B, d], neighbours as one symbol"
        form = "complex [B, k]" if np.iscomplexobj(found) else "real [B, 2, k]"
        return as_complex(self.name, found, len(images)), form

    def returned(self, images: NDArray[Any]) -> object:
        """Return what it returns, if it is a waveform."""
        given: Any = np.ascontiguousarray(images, dtype=np.float32)
        if self.framework == "torch":
            given = torch.from_numpy(given)
        options: dict[str, Any] = {}
        if self.generator:
            number = stream(self.seed, "conform", "transmit")
            options["generator"] = torch.Generator().manual_seed(number)
        found = call(self.name, self.function, given, **options)
        made = array_of(found)
        if made is not None and made.ndim == 2 and not np.iscomplexobj(made):
            if made.shape[1] % 2:
                raise SemveilError(
                    f"{self.name} returned an odd number of reals, {made.shape[1]}: two make a "
                    "symbol"
                )
            made = made[:, ::2] + 1j * made[:, 1::2]
        as_complex(self.name, found if made is None else made, len(images))
        return found


def _fitted(function: Callable[..., Any], name: str, seed: int, images: NDArray[Any]) -> _Sender:
    generator = "generator" in parameters(function)
    kinds = [_Sender(name, function, framework, seed, generator) for framework in FRAMEWORKS]
    return kinds[first_native([(kind.framework, partial(kind.returned, images)) for kind in kinds])]


def _tested(
    send: _Sender, images: NDArray[Any], bandwidth_ratio: float | None, fixed_gain: bool
) -> Report:
    waveform, form = send(images)
    took = f"{send.framework} images; returned {form}"
    report = Report(send.name, "transmitter", took, [])
    again, few = send(images)[0], 8
    random = not _same(again, waveform)
    alone = np.concatenate([send(image[None])[0] for image in images[:few]])
    report.checks.append(_power(waveform, alone, fixed_gain))
    if random:
        report.notes.append(
            "the waveform is random beyond its generator: independence of the batch is not tested"
        )
    else:
        report.checks.append(_independent(send, images, waveform, alone))
    real = not np.abs(waveform.imag).any()
    if real:
        report.notes.append(
            "every symbol is real: a real takes a channel use of its own, and has 3 dB more SNR "
            "than one of a pair"
        )
    measured = waveform.shape[1] / images[0].size
    report.checks.append(_bandwidth(measured, waveform.shape[1], bandwidth_ratio))
    return report


def _same(found: Complex, wanted: Complex) -> bool:
    difference = np.linalg.norm(found - wanted, axis=1)
    return bool((difference <= _SAME * np.linalg.norm(wanted, axis=1) + 1e-9).all())


def _power(waveform: Complex, alone: Complex, fixed_gain: bool) -> Check:
    name, powers = "power per symbol", (np.abs(waveform) ** 2).mean(1)
    symbols = waveform.shape[1]
    if fixed_gain:
        mean = level(powers)
        return mean.check("mean power per symbol", "1 on average", _scale(mean.db, symbols))
    offsets = np.array([decibel(power) for power in powers])
    worst = float(offsets[np.abs(offsets).argmax()])
    if abs(worst) <= TOLERANCE_DB:
        return Check(name, True, "1 in every image", worst)
    if not np.isfinite(offsets).all():
        return Check(name, False, f"image {int(np.argmin(offsets))} is sent without power", worst)
    if np.ptp(offsets) <= TOLERANCE_DB:
        return Check(name, False, f"{in_db(worst)}: {_scale(worst, symbols)}", worst)
    mean_db = decibel(float(powers.mean()))
    own = np.array([decibel(power) for power in (np.abs(alone) ** 2).mean(1)])
    mistake = "power differs from image to image: is one gain used for all images?"
    if abs(mean_db) <= TOLERANCE_DB and np.abs(own).max() <= TOLERANCE_DB:
        mistake = "power is normalised over the batch; alone, each image has unit power"
    elif abs(mean_db) <= TOLERANCE_DB:
        mistake = "only the mean over images is one: normalised over the batch or the data set?"
    span = f"images from {in_db(float(offsets.min()))} to {in_db(float(offsets.max()))}"
    return Check(name, False, f"{span}: {mistake}", worst)


def _scale(offset_db: float, symbols: int) -> str:
    for known, mistake in (
        (3.01, "unit power per real component: a complex symbol has two"),
        (-3.01, "half the power: one over √2 in each component of unit power twice?"),
        (decibel(1 / symbols), "‖z‖² = 1 for the whole waveform, instead of one per symbol"),
        (decibel(2 / symbols), "‖z‖² = 2 for the whole waveform, instead of one per symbol"),
    ):
        if abs(offset_db - known) < TOLERANCE_DB:
            return mistake
    return "the SNR would have this offset: scale each image to ‖z‖² = k"


def _independent(send: _Sender, images: NDArray[Any], waveform: Complex, alone: Complex) -> Check:
    """Check that the waveform of an image depends neither on its batch nor on its place in it."""
    name = "independence of the batch"
    if _same(alone, waveform[: len(alone)]) and _same(send(images[::-1])[0][::-1], waveform):
        return Check(name, True, "the same alone and in another order")
    turned = (alone * waveform[: len(alone)].conj()).sum(1)
    norms = np.linalg.norm(alone, axis=1) * np.linalg.norm(waveform[: len(alone)], axis=1)
    mistake = "the waveform depends on the rest of the batch: batch statistics, or a place in it?"
    if send.generator:
        mistake += " Or random numbers that are drawn for the batch as a whole?"
    if (np.abs(turned) > 0.999 * norms).all():
        mistake = "an image's gain depends on the rest of the batch: normalised over the batch"
    return Check(name, False, mistake)


def _bandwidth(measured: float, symbols: int, stated: float | None) -> Check:
    name, found = "bandwidth ratio", f"k/n = {measured:.4g} with k = {symbols}"
    if stated is None:
        return Check(name, True, f"{found}; none stated")
    if not 0 < stated < float("inf"):
        raise SemveilError(f"bandwidth_ratio: expected a positive number, not {stated!r}")
    offset = decibel(measured / stated)
    # Ratios are printed with two or three digits.
    if abs(measured / stated - 1) <= 0.02:
        return Check(name, True, found, offset)
    mistake = f"{stated:.4g} is stated"
    if abs(measured / stated - 2) <= 0.05:
        mistake += ": twice the channel uses; is each real sent as a symbol of its own?"
    elif abs(measured / stated - 0.5) <= 0.02:
        mistake += ": reals were counted as complex symbols; two reals make one channel use"
    else:
        mistake += ": it is channel uses over source reals C·H·W, not over pixels or bits"
    return Check(name, False, f"{found}, {in_db(offset)}: {mistake}", offset)
