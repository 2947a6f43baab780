"""Writing a recording: samples block by block, then its metadata, whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from semveil.errors import SemveilError
from semveil.files import new_files
from semveil.recording.metadata import DATA, META, base_of, beside, compose
from semveil.recording.samples import (
    DATATYPES,
    Samples,
    beyond_full_scale,
    require_datatype,
    require_finite,
    to_bytes,
    warn_of_clipping,
)


@dataclass(frozen=True)
class Annotation:
    """A labelled piece of a recording.

    Attributes:
        start: Its first sample.
        count: Samples.
        label: A few words.
        fields: Further fields by name, such as ``semveil:counter``.
    """

    start: int
    count: int
    label: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


def files_of(path: str | Path) -> tuple[Path, Path]:
    """Return the files of a recording: samples, metadata.

    Example:
        >>> [file.name for file in files_of("a/capture")]
        ['capture.sigmf-data', 'capture.sigmf-meta']
    """
    base = base_of(Path(path))
    return beside(base, DATA), beside(base, META)


def write_recording(
    path: str | Path,
    blocks: Iterable[Samples],
    sample_rate_hz: float,
    *,
    datatype: str = "cf32_le",
    annotations: Iterable[Annotation] = (),
    fields: Mapping[str, Any] | None = None,
    description: str = "",
    frequency_hz: float | None = None,
) -> Path:
    """Write ``PATH.sigmf-data`` and ``PATH.sigmf-meta``, both or neither.

    Args:
        path: The recording, with or without a suffix; neither file may exist.
        blocks: Complex samples ``[T]``, block by block, so that a long recording needs no memory.
        sample_rate_hz: Complex samples per second.
        datatype: ``cf32_le``, or ``ci16_le``, where a component of 1 is full scale.
        annotations: Pieces to label; read after the last block.
        fields: Further global fields, such as ``semveil:link``.
        description: What it is, in words.
        frequency_hz: Centre frequency, if it has one.

    Returns:
        The path without suffix.

    Raises:
        SemveilError: If a file exists, cannot be written, or a sample is not finite.

    Warns:
        SemveilWarning: If samples are beyond the full scale of integers.

    Example:
        >>> import tempfile, numpy as np
        >>> from semveil.recording import open_recording
        >>> base = write_recording(
        ...     tempfile.mkdtemp() + "/tone", [np.exp(0.1j * np.arange(100, dtype=np.complex64))],
        ...     1e6, annotations=[Annotation(0, 100, "a tone")])
        >>> open_recording(base).annotations[0].label
        'a tone'
    """
    base = base_of(Path(path))
    require_datatype(datatype)
    if not 0 < sample_rate_hz <= 1e12:
        raise SemveilError(f"sample rate: {sample_rate_hz:g} Hz is not between 0 and 1e12")
    digest, count, lost = hashlib.sha512(), 0, 0
    with new_files(*files_of(base)) as (data, meta):
        for block in blocks:
            written = to_bytes(require_finite(block, count, str(base)), datatype)
            data.write(written)
            digest.update(written)
            count += len(written) // DATATYPES[datatype]
            lost += 0 if datatype == "cf32_le" else beyond_full_scale(block)
        capture: dict[str, Any] = {"core:datetime": _now()}
        if frequency_hz is not None:
            capture["core:frequency"] = frequency_hz
        stated = {
            "core:datatype": datatype,
            "core:sample_rate": sample_rate_hz,
            "core:recorder": "semveil",
            "core:sha512": digest.hexdigest(),
            "semveil:samples": count,
        } | dict(fields or {})
        if description:
            stated["core:description"] = description
        pieces = [
            (
                each.start,
                each.count,
                ({"core:label": each.label} if each.label else {}) | dict(each.fields),
            )
            for each in annotations
        ]
        meta.write(compose(stated, capture, pieces).encode())
    warn_of_clipping(str(base), lost, count)
    return base


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
