"""The metadata of a recording: made and validated by the package sigmf."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from semveil.errors import SemveilError, shown
from semveil.reading import read_small

EXTENSION = {"name": "semveil", "version": "1.0.0", "optional": True}
DATA, META = ".sigmf-data", ".sigmf-meta"
_MOST_BYTES = 1 << 28


def base_of(path: Path) -> Path:
    """Return the path of a recording without its suffix, whichever of its files was named.

    Example:
        >>> str(base_of(Path("a/capture.sigmf-meta"))), str(base_of(Path("v1.5")))
        ('a/capture', 'v1.5')
    """
    if path.suffix == ".sigmf":
        raise SemveilError(f"{path} is an archive: unpack it with `tar -xf {path}` first")
    return path.with_suffix("") if path.suffix in (DATA, META) else path


def beside(base: Path, suffix: str) -> Path:
    """Return a file of a recording; the name may have dots of its own."""
    return base.with_name(base.name + suffix)


def sigmf() -> ModuleType:
    """Return the package, or say how to install it."""
    try:
        import sigmf.validate
    except ImportError:
        raise SemveilError(
            "recordings need the package sigmf: pip install 'semveil[radio]'"
        ) from None
    return sigmf


def compose(
    fields: Mapping[str, Any],
    capture: Mapping[str, Any],
    annotations: list[tuple[int, int, dict[str, Any]]],
) -> str:
    """Return the text of a metadata file, validated.

    Args:
        fields: Global fields, with their namespaces.
        capture: Fields of the one capture.
        annotations: First sample, number of samples, further fields.
    """
    made = sigmf().SigMFFile(global_info={"core:extensions": [EXTENSION], **fields})
    made.add_capture(0, dict(capture))
    for start, count, further in annotations:
        made.add_annotation(start, count, dict(further))
    made.validate()
    text: str = made.dumps()
    return text + "\n"


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the content of a metadata file.

    Raises:
        SemveilError: If it is missing, too large, no JSON or no SigMF.
    """
    text = read_small(path, str(path), _MOST_BYTES)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise SemveilError(f"{path} is no SigMF metadata: it is not JSON") from None
    check = sigmf().validate.validate
    import jsonschema

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of extensions that we do not read
            check(found)
    except jsonschema.ValidationError as error:
        where = ".".join(map(str, error.absolute_path)) or "the whole"
        raise SemveilError(
            f"{path} is no valid SigMF metadata: {where}: {shown(error.message)}"
        ) from None
    except (AttributeError, KeyError, TypeError) as error:
        raise SemveilError(f"{path} is no valid SigMF metadata: {error!r}") from None
    checked: dict[str, Any] = found
    return checked
