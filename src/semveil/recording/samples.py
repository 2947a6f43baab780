"""Complex samples as bytes of a SigMF data type, and back."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from semveil.errors import SemveilError, SemveilWarning, unknown

Samples = NDArray[np.complex64]
DATATYPES = {"cf32_le": 8, "ci16_le": 4}
"""Bytes per complex sample of each data type."""
# A component of 1 is full scale, as sigmf reads it.
_FULL_SCALE = 32768


def require_datatype(datatype: str) -> str:
    """Return a data type that is read and written here."""
    if datatype not in DATATYPES:
        raise unknown("data type", datatype, DATATYPES)
    return datatype


def to_bytes(samples: Samples, datatype: str) -> bytes:
    """Return complex samples as bytes.

    Args:
        samples: complex ``[T]``. In ``ci16_le`` a real or imaginary part of 1 is full scale, and
            what is larger is clipped.
        datatype: ``cf32_le``, or ``ci16_le``, which rounds to 16 bits.

    Raises:
        SemveilError: If the data type is another.

    Example:
        >>> to_bytes(np.array([0.5 - 2j], np.complex64), "ci16_le").hex()
        '00400080'
    """
    if require_datatype(datatype) == "cf32_le":
        return samples.astype("<c8").tobytes()
    parts = np.ascontiguousarray(samples, np.complex64).view(np.float32)
    levels = np.rint(parts * _FULL_SCALE).clip(-_FULL_SCALE, _FULL_SCALE - 1)
    return levels.astype("<i2").tobytes()


def beyond_full_scale(samples: Samples) -> int:
    """Return how many samples have a part beyond 1, which integers and radios clip.

    Example:
        >>> beyond_full_scale(np.array([1, 1.5j, -2 + 3j], np.complex64))
        2
    """
    parts = np.ascontiguousarray(samples, np.complex64).view(np.float32).reshape(-1, 2)
    return int((np.abs(parts) > 1).any(1).sum())


def warn_of_clipping(what: str, lost: int, count: int) -> None:
    """Warn if samples were clipped."""
    if lost:
        text = f"{what}: {lost} of {count} samples are beyond full scale and clipped: lower --level"
        warnings.warn(text, SemveilWarning, stacklevel=3)


def from_bytes(data: bytes | NDArray[np.uint8], datatype: str) -> Samples:
    """Return complex samples that :func:`to_bytes` wrote, complex64 ``[T]``.

    Raises:
        SemveilError: If the data type is another.

    Example:
        >>> from_bytes(bytes.fromhex("00400080"), "ci16_le")
        array([0.5-1.j], dtype=complex64)
    """
    if require_datatype(datatype) == "cf32_le":
        return np.frombuffer(data, "<c8").astype(np.complex64)
    parts = np.frombuffer(data, "<i2").astype(np.float32) / _FULL_SCALE
    return parts.view(np.complex64)


def require_finite(samples: Samples, first: int, what: str) -> Samples:
    """Refuse samples that are NaN or infinite; ``first`` is the place of the first one."""
    finite = np.isfinite(samples)
    if not finite.all():
        place = first + int(np.argmin(finite))
        raise SemveilError(f"{what}: sample {place} is NaN or infinite; record it again")
    return samples
