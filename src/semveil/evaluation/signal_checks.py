"""Recordings of a system under audit, and checks of its waveform."""

from __future__ import annotations

import torch
from torch import Tensor

from semveil.adversary.eavesdrop.observations import Recording, Send
from semveil.data.splits import Images
from semveil.errors import SemveilError
from semveil.evaluation.system import SystemUnderTest
from semveil.evaluation.tasks import eve_labels
from semveil.phy import average_power

_POWER_TOLERANCE_DB = 0.1
_TRAINED_TOLERANCE_DB = 0.5  # other images may use a constellation otherwise than the training's
_TAKES = 8  # sendings of a random system that its mean power is taken over


def recorded(
    transmit: Send,
    images: Images,
    name: str,
    seed: int,
    device: torch.device,
    width: int | None = None,
) -> Recording:
    """Record the waveforms that a transmitter makes of a part of the images."""
    return Recording(
        checked_transmitter(transmit, name, width),
        torch.from_numpy(images.x),
        torch.from_numpy(eve_labels(images)),
        purpose=name,
        seed=seed,
        device=device,
    )


def checked_transmitter(transmit: Send, name: str, width: int | None = None) -> Send:
    """Return a transmitter whose waveforms are refused if they are none, or of another width."""
    known = width

    def checked(images: Tensor, source: torch.Generator, messages: Tensor) -> Tensor:
        nonlocal known
        waveform = transmit(images, source, messages)
        if not isinstance(waveform, Tensor):
            raise SemveilError(
                f"transmit must return a torch tensor, not {type(waveform).__name__}"
            )
        waveform = waveform.resolve_conj()
        if waveform.ndim != 2 or len(waveform) != len(images) or not waveform.is_complex():
            raise SemveilError(
                f"transmit must return complex [{len(images)}, k], "
                f"not {waveform.dtype} {list(waveform.shape)}"
            )
        known = known or waveform.shape[1]
        if waveform.shape[1] != known or not known:
            raise SemveilError(
                f"transmit must return as many symbols at every call, not {known} and then "
                f"{waveform.shape[1]}"
                if known
                else "transmit returned no symbols: complex [B, 0]"
            )
        if not bool(torch.isfinite(torch.view_as_real(waveform)).all()):
            raise SemveilError(f"transmit returned numbers that are not finite ({name} images)")
        return waveform

    return checked


def check_power(test: Recording, system: SystemUnderTest) -> bool:
    """Refuse a waveform whose power is not the one that its system declares.

    Returns:
        Whether a gain that was set on training images gives those of the test another mean power.
    """
    power, tolerance_db = average_power(test.waveforms), _POWER_TOLERANCE_DB
    if system.fixed_gain:
        power, error = _mean_power(test)
        # The mean of a sample varies: 3.5 standard errors, in dB.
        tolerance_db = max(tolerance_db, 15.0 * float(error))
    off = _off_db(power, system.total_power)
    worst = int(off.argmax())
    differs = float(off[worst]) > tolerance_db
    if differs and not (system.trained_gain and float(off[worst]) <= _TRAINED_TOLERANCE_DB):
        whose = (
            "the mean power of all images" if system.fixed_gain else f"test image {worst}'s power"
        )
        remedy = "pass the waveform through semveil.phy.normalise_power"
        if abs(float(power[worst]) / system.total_power - 2) < 0.02:
            remedy = f"a symbol of two reals of unit power has a power of two; {remedy}"
        if (
            not system.fixed_gain
            and _off_db(power.mean(), system.total_power) < _POWER_TOLERANCE_DB
        ):
            remedy += ", or pass fixed_gain=True if the gain must not depend on the image"
        raise SemveilError(
            f"{system.name.label}: {whose} is {float(power[worst]):.3f} per symbol, not "
            f"{system.total_power:g}: its SNR would be {float(off[worst]):.1f} dB off; {remedy}"
        )
    return differs


def _mean_power(test: Recording) -> tuple[Tensor, Tensor]:
    """Return the mean power over images, ``[1]``, and its standard error."""
    takes = [test, *(test.resent(n) for n in range(_TAKES - 1))] if test.randomised else [test]
    each = torch.stack([average_power(take.waveforms) for take in takes]).mean(0)
    symbols = test.waveforms.abs().square()
    # Images that are sent as one message tell no more of the mean than its symbols do.
    messages = torch.view_as_real(test.waveforms).flatten(1)
    _, counts = messages.unique(dim=0, return_counts=True)
    shares = counts / len(test)
    variance = shares.square().sum() * each.var()
    variance += shares[counts > 1].square().sum() * symbols.var() / symbols.shape[1]
    return each.mean(0, keepdim=True), variance.sqrt()


def uneven_power(test: Recording) -> bool:
    """Say whether the power differs from image to image."""
    each = average_power(test.waveforms)
    return bool((_off_db(each, float(each.mean())) > _POWER_TOLERANCE_DB).any())


def _off_db(power: Tensor, wanted: float) -> Tensor:
    return (10 * torch.log10(power.clamp(min=1e-12) / wanted)).abs()
