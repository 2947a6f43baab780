"""Reading the YAML files of a paper: what is wrong is one line that says where."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from semveil import strict_yaml
from semveil.errors import SemveilError, unknown

Spec = TypeVar("Spec", bound=BaseModel)


def read(path: Path, kind: type[Spec]) -> Spec:
    """Read a YAML file as a model."""
    content = strict_yaml.read(path, str(path))
    try:
        return kind.model_validate(content or {})
    except ValidationError as error:
        raise SemveilError(f"{path}: {_first(error, kind)}") from error
    except SemveilError as error:
        raise SemveilError(f"{path}: {error}") from error


def _first(error: ValidationError, kind: type[BaseModel]) -> str:
    """Return the first fault in words, with the place and the nearest name."""
    faults = error.errors()
    # A key that is misspelt is also missing: the misspelt one helps.
    fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
    place = [str(part) for part in fault["loc"]]
    where = ".".join(place)
    if fault["type"] == "extra_forbidden":
        misspelt = unknown("key", place[-1], _known(kind, place[:-1]))
        return f"{'.'.join(place[:-1])}: {misspelt}".removeprefix(": ")
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {reason}" if where else reason


def _known(kind: type[BaseModel], place: list[str]) -> list[str]:
    """Return the keys that a place of a model has."""
    for part in place:
        field = kind.model_fields.get(part)
        if field is None:
            continue
        inner = [each for each in getattr(field.annotation, "__args__", ()) if _is_model(each)]
        kind = inner[0] if inner else kind
    return list(kind.model_fields)


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
