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


def recorded(
    transmit: Send, images: Images, name: str, seed: int, device: torch.device
) -> Recording:
    """Record the waveforms that a transmitter makes of a part of the images."""
    return Recording(
        checked_transmitter(transmit, name),
        torch.from_numpy(images.x),
        torch.from_numpy(eve_labels(images)),
        purpose=name,
        seed=seed,
        device=device,
    )


def checked_transmitter(transmit: Send, name: str) -> Send:
    """Return a transmitter whose waveforms are refused if they are none."""

    def checked(images: Tensor, source: torch.Generator, messages: Tensor) -> Tensor:
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
        if not bool(torch.isfinite(torch.view_as_real(waveform)).all()):
            raise SemveilError(f"transmit returned numbers that are not finite ({name} images)")
        return waveform

    return checked


def check_power(test: Recording, system: SystemUnderTest) -> None:
    """Refuse a waveform whose power is not the one that its system declares."""
    each = average_power(test.waveforms)
    power = each.mean(0, keepdim=True) if system.fixed_gain else each
    # The mean of a sample varies by its standard error.
    error = _standard_error(test, each) if system.fixed_gain else torch.zeros(())
    off = _off_db(power, system.total_power)
    worst = int(off.argmax())
    if float(off[worst]) > _POWER_TOLERANCE_DB + 13.0 * float(error):
        whose = (
            "the mean power of all images" if system.fixed_gain else f"test image {worst}'s power"
        )
        remedy = "pass the waveform through semveil.phy.normalise_power"
        if not system.fixed_gain and _off_db(each.mean(), system.total_power) < _POWER_TOLERANCE_DB:
            remedy += ", or pass fixed_gain=True if the gain must not depend on the image"
        raise SemveilError(
            f"{system.name.label}: {whose} is {float(power[worst]):.3f} per symbol, not "
            f"{system.total_power:g}: its SNR would be {float(off[worst]):.1f} dB off; {remedy}"
        )


def _standard_error(test: Recording, each: Tensor) -> Tensor:
    """Return the standard error of the mean power, by images or by the symbols of those sent."""
    symbols = test.waveforms.abs().square()
    # Images that are sent as one and the same message tell no more than one of them.
    different = symbols.shape[1] * len(each.unique())
    return torch.maximum(each.std() / len(each) ** 0.5, symbols.std() / different**0.5)


def uneven_power(test: Recording) -> bool:
    """Say whether the power differs from image to image."""
    each = average_power(test.waveforms)
    return bool((_off_db(each, float(each.mean())) > _POWER_TOLERANCE_DB).any())


def _off_db(power: Tensor, wanted: float) -> Tensor:
    return (10 * torch.log10(power.clamp(min=1e-12) / wanted)).abs()
