"""What the metadata of a recording states of its frames, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from semveil.errors import SemveilError, unknown
from semveil.radio import FrameFormat
from semveil.radio.header import VERSION
from semveil.recording import Recording


def frame_format(settings: Mapping[str, Any]) -> FrameFormat:
    """Return the format with some settings changed from their defaults.

    Raises:
        SemveilError: If a setting is unknown or does not fit.

    Example:
        >>> frame_format({"sample_rate": 2e6}).sample_rate
        2000000.0
    """
    known = {each.name: each.type for each in fields(FrameFormat)}
    plain = asdict(FrameFormat())
    for name, value in settings.items():
        if name not in known:
            raise unknown("setting of the frame", name, known)
        wanted = type(plain[name])
        fits = isinstance(value, int | float) if wanted is float else type(value) is wanted
        if not fits or (wanted is not bool and isinstance(value, bool)):
            raise SemveilError(f"{name}: {value!r} is not of type {wanted.__name__}")
    return FrameFormat(**settings)


def stated_format(recording: Recording, changes: Mapping[str, Any] | None = None) -> FrameFormat:
    """Return the format that the metadata states, or the default at the recording's rate.

    Args:
        recording: The recording.
        changes: Settings that are to differ from it.

    Raises:
        SemveilError: If it is of another version or another sample rate, or does not fit.
    """
    rate, stated = recording.sample_rate_hz, recording.fields
    if rate is None:
        raise SemveilError(
            f"{recording.base}: its metadata states no core:sample_rate; add it there"
        )
    version = stated.get("semveil:version", VERSION)
    if version != VERSION:
        raise SemveilError(
            f"{recording.base}: frames of version {version}; this is version {VERSION}"
        )
    settings = stated.get("semveil:format")
    if not isinstance(settings, dict):
        settings = {"sample_rate": rate}
    try:
        found = frame_format({**settings, **(changes or {})})
    except SemveilError as error:
        raise SemveilError(f"{recording.base}: semveil:format: {error}") from None
    if abs(found.sample_rate / rate - 1) > 1e-9:
        raise SemveilError(
            f"{recording.base}: recorded at {rate:g} samples per second; its frames need "
            f"{found.sample_rate:g}: resample it, or record at that rate"
        )
    return found
