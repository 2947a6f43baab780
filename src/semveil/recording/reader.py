"""Reading a recording: its metadata checked, its samples in blocks or from a memory map."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from semveil.errors import SemveilError, shown
from semveil.reading import require_regular
from semveil.recording.metadata import DATA, EXTENSION, META, base_of, beside, read_metadata
from semveil.recording.samples import DATATYPES, Samples, from_bytes, require_finite
from semveil.recording.writer import Annotation

BLOCK = 1 << 18  # samples


@dataclass(frozen=True)
class Recording:
    """A recording on the disk.

    Attributes:
        base: Its path without suffix.
        sample_rate_hz: Complex samples per second; None if it is not stated.
        datatype: ``cf32_le`` or ``ci16_le``.
        count: Complex samples.
        fields: Global fields of the metadata.
        captures: Its captures, as the metadata has them.
        annotations: Labelled pieces, in the order of their first samples.
    """

    base: Path
    sample_rate_hz: float | None
    datatype: str
    count: int
    fields: dict[str, Any]
    captures: list[dict[str, Any]]
    annotations: list[Annotation]

    def read(self, start: int = 0, count: int | None = None) -> Samples:
        """Return some samples, complex64; the file is mapped into memory, not loaded.

        Raises:
            SemveilError: If they are not in the recording, or one is not finite.
        """
        count = self.count - start if count is None else count
        if start < 0 or count < 0 or start + count > self.count:
            raise SemveilError(
                f"{self.base}: samples {start} to {start + count} of {self.count} were asked for"
            )
        if not count:
            return np.empty(0, np.complex64)
        size = DATATYPES[self.datatype]
        mapped = np.memmap(
            beside(self.base, DATA), np.uint8, "r", offset=start * size, shape=(count * size,)
        )
        return require_finite(from_bytes(mapped, self.datatype), start, str(self.base))

    def blocks(self, size: int = BLOCK) -> Iterator[Samples]:
        """Yield all samples in order, complex64, at most ``size`` at a time."""
        with beside(self.base, DATA).open("rb") as file:
            yield from read_raw(file, self.datatype, str(self.base), size)


def read_raw(
    file: BinaryIO, datatype: str, name: str = "the stream", size: int = BLOCK
) -> Iterator[Samples]:
    """Yield complex samples of a file or pipe without metadata, at most ``size`` at a time.

    Args:
        file: Opened for reading bytes.
        datatype: ``cf32_le`` or ``ci16_le``.
        name: What errors call it.
        size: Samples per block.

    Raises:
        SemveilError: If a sample is not finite, or it ends within a sample.

    Example:
        >>> import io
        >>> stream = io.BytesIO(np.arange(5, dtype="<c8").tobytes())
        >>> [len(block) for block in read_raw(stream, "cf32_le", size=3)]
        [3, 2]
    """
    width, first = DATATYPES[datatype], 0
    while data := _read_fully(file, size * width):
        if len(data) % width:
            raise SemveilError(f"{name} is truncated: it ends within sample {first}")
        yield require_finite(from_bytes(data, datatype), first, name)
        first += len(data) // width


def _read_fully(file: BinaryIO, count: int) -> bytes:
    """Read bytes; a pipe may give fewer at a time."""
    parts, missing = [], count
    while missing and (part := file.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def open_recording(path: str | Path, *, verify: bool = True) -> Recording:
    """Open a recording, and check it.

    Args:
        path: The recording, by the name of either file or without suffix.
        verify: Whether the samples are read once and compared with the stated SHA-512.

    Raises:
        SemveilError: If a file is missing, the metadata is no valid SigMF, the samples are of
            another data type or several channels, the data file is truncated, or its checksum
            differs.

    Example:
        >>> open_recording("missing")
        Traceback (most recent call last):
        ...
        semveil.errors.SemveilError: there is no recording missing: missing.sigmf-meta is missing
    """
    base = base_of(Path(path))
    meta, data = beside(base, META), beside(base, DATA)
    if not meta.exists():
        raise SemveilError(f"there is no recording {base}: {meta} is missing")
    found = read_metadata(meta)
    fields, annotations = found["global"], _annotations(found)
    datatype = _readable(fields, found, meta)
    try:
        size = require_regular(data)
    except FileNotFoundError:
        raise SemveilError(f"{base} has metadata and no samples: {data} is missing") from None
    except OSError as error:
        raise SemveilError(f"cannot read {data}: {error.strerror or error}") from None
    count, rest = divmod(size, DATATYPES[datatype])
    stated = fields.get("semveil:samples", count)
    ends = [each.start + each.count for each in annotations]
    needed = max([stated if isinstance(stated, int) else count, *ends])
    if rest or count < needed:
        raise SemveilError(
            f"{data} is truncated: it has {size} bytes, and {meta.name} speaks of {needed} samples "
            f"of {DATATYPES[datatype]} bytes"
        )
    if verify and "core:sha512" in fields:
        with data.open("rb") as file:
            digest = hashlib.file_digest(file, "sha512").hexdigest()
        if digest != fields["core:sha512"].lower():
            raise SemveilError(
                f"{data} was changed: its SHA-512 checksum differs from the one in {meta.name}"
            )
    rate = fields.get("core:sample_rate")
    if rate is not None and not 0 < rate < math.inf:
        raise SemveilError(f"{meta}: core:sample_rate: {rate} is no rate")
    return Recording(
        base,
        None if rate is None else float(rate),
        datatype,
        count,
        fields,
        found["captures"],
        annotations,
    )


def _readable(fields: dict[str, Any], found: dict[str, Any], meta: Path) -> str:
    """Return the data type of samples that can be read here."""
    datatype = str(fields["core:datatype"])
    if datatype not in DATATYPES:
        raise SemveilError(
            f"{meta}: samples of type {datatype} cannot be read here; convert them to cf32_le"
        )
    if fields.get("core:num_channels", 1) != 1:
        raise SemveilError(f"{meta}: several channels in one file; extract the one that is meant")
    for extension in fields.get("core:extensions", []):
        if not extension["optional"] and extension["name"] != EXTENSION["name"]:
            raise SemveilError(
                f"{meta}: its samples cannot be read without the extension "
                f"{shown(extension['name'])}"
            )
    skipped = any(each.get("core:header_bytes", 0) for each in found["captures"])
    if skipped or fields.get("core:trailing_bytes", 0) or fields.get("core:dataset"):
        raise SemveilError(f"{meta}: a file of samples with other content cannot be read here")
    return datatype


def _annotations(found: dict[str, Any]) -> list[Annotation]:
    pieces = []
    for each in found["annotations"]:
        fields = {key: value for key, value in each.items() if not key.startswith("core:")}
        start, count = each["core:sample_start"], each.get("core:sample_count", 0)
        pieces.append(Annotation(int(start), int(count), each.get("core:label", ""), fields))
    return sorted(pieces, key=lambda each: each.start)
