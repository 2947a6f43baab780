"""Reading Python pickles of byte arrays without running code from them.

A pickle may name any function of any module and call it. Here it can only use three names of
numpy, which stand for the inert classes below instead of numpy's: they accept bytes and nothing
else, so that no code of the pickle's choice runs and numpy gets no invalid type or shape.
"""

from __future__ import annotations

import io
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semveil.errors import SemveilError


class _ByteType:
    """Replaces ``numpy.dtype``; the unsigned byte is the only one."""

    def __init__(self, code: object, *_: object) -> None:
        if code not in (b"u1", "u1"):
            raise pickle.UnpicklingError(f"array of {code!r}")

    def __setstate__(self, state: object) -> None:
        """Ignore byte order and alignment."""


class _ByteArray:
    """Replaces ``numpy.ndarray`` and the function that makes an empty one."""

    values: NDArray[np.uint8] | None = None

    def __init__(self, *_: object) -> None:
        """Ignore type and shape; the state that follows has both."""

    def __setstate__(self, state: tuple[int, tuple[int, ...], object, bool, bytes]) -> None:
        _, shape, kind, column_major, raw = state
        # Exactly these types, no other stand-ins.
        if type(kind) is not _ByteType or type(raw) is not bytes or column_major:
            raise pickle.UnpicklingError("array in an unknown form")
        if not all(type(n) is int and n >= 0 for n in shape) or math.prod(shape) != len(raw):
            raise pickle.UnpicklingError(f"array of {len(raw)} bytes and shape {shape!r}")
        self.values = np.frombuffer(raw, np.uint8).reshape(shape)


class _Unpickler(pickle.Unpickler):
    """Resolves three names only, in old and new modules of numpy."""

    names = {
        ("numpy.core.multiarray", "_reconstruct"): _ByteArray,
        ("numpy._core.multiarray", "_reconstruct"): _ByteArray,
        ("numpy", "ndarray"): _ByteArray,
        ("numpy", "dtype"): _ByteType,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.names[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def unpickle_arrays(path: Path, content: bytes) -> Any:
    """Unpickle plain containers, numbers, byte strings and numpy arrays of bytes.

    Byte strings of Python 2 become ``bytes``; arrays are read only as values of a dict.
    """
    try:
        loaded = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    # A crafted or truncated pickle can fail in any way.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SemveilError(f"{path}: refused to unpickle: {reason}") from error
    if isinstance(loaded, dict):
        return {k: v.values if isinstance(v, _ByteArray) else v for k, v in loaded.items()}
    return loaded
