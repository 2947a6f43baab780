"""Sections of a recipe: settings that are checked strictly. Knows no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from typing import Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from semveil.errors import SemveilError, shown, unknown

S = TypeVar("S", bound="Section")
KEYS = "semveil show RECIPE"
"""The command that lists the keys of a recipe."""


class Section(BaseModel):
    """Settings of one thing; unknown keys, infinite numbers and truth values for numbers fail.

    A registered class states its settings as an inner class ``Config`` of this type.

    Attributes:
        section: Where the settings stand in a recipe, such as ``attack.pgd``. It follows from the
            name of the registered class unless it is given.

    Example:
        >>> class Config(Section):
        ...     alpha: float = 0.5
        >>> Config(alpha=0.3).alpha
        0.3
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    section: ClassVar[str] = ""

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value(cls, value: Any, info: ValidationInfo) -> Any:
        # To Python, true is the number 1; a user who writes it does not mean that.
        if info.field_name and cls.model_fields[info.field_name].annotation is bool:
            return value
        if any(isinstance(item, bool) for item in (value if isinstance(value, list) else [value])):
            raise ValueError("must not be true or false")
        return value


class OpenSection(Section):
    """A section to which registered classes add sections of their own.

    Attributes:
        registries: Whose classes add to it, as ``module:REGISTRY``; imported when a key is read
            that the section itself does not know.
        added: What they have added, by its key.
    """

    model_config = ConfigDict(extra="allow")
    registries: ClassVar[tuple[str, ...]] = ()
    added: ClassVar[dict[str, type[Section]]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        cls.added = {}

    @classmethod
    def load(cls) -> dict[str, type[Section]]:
        """Import the registries and return what their classes add."""
        for place in cls.registries:
            module, _, name = place.partition(":")
            getattr(import_module(module), name).load()
        return cls.added

    @model_validator(mode="after")
    def _check_added(self) -> Self:
        extra = self.__pydantic_extra__
        if extra:
            known = self.load()
            for key, value in extra.items():
                path = _joined(self.section, key)
                if key not in known:
                    inner = [*type(self).model_fields, *known]
                    near = {_joined(self.section, name) for name in inner}
                    raise unknown("key", path, near.union(keys_of(type(self))), KEYS)
                try:
                    extra[key] = known[key].model_validate(value)
                except ValidationError as error:
                    raise explain(error, partial(keys_of, known[key]), path) from None
        return self

    def of(self, config: type[S]) -> S:
        """Return the settings of a registered class, the defaults where nothing is set.

        Args:
            config: Type of the settings.
        """
        inside, _, key = config.section.removeprefix(f"{self.section}.").rpartition(".")
        if inside:
            inner = getattr(self, inside)
            assert isinstance(inner, OpenSection)
            return inner.of(config)
        value = (self.__pydantic_extra__ or {}).get(key)
        if value is None:
            return config()
        # A class that was defined again, as in a notebook, reads what the earlier one had checked.
        return value if isinstance(value, config) else config.model_validate(value.model_dump())


def keys_of(section: type[Section], prefix: str | None = None) -> list[str]:
    """Return the full key of every setting of a section, those that are added to it too."""
    where = section.section if prefix is None else prefix
    inner = {name: field.annotation for name, field in section.model_fields.items()}
    if issubclass(section, OpenSection):
        inner |= section.load()
    found = []
    for name, kind in inner.items():
        key = _joined(where, name)
        if isinstance(kind, type) and issubclass(kind, Section):
            found += keys_of(kind, key)
        else:
            found.append(key)
    return found


def kind_of(section: type[Section], path: list[str]) -> Any:
    """Return the type of the setting at a path of a section; None if there is none."""
    first, *rest = path
    field = section.model_fields.get(first)
    kind: Any = None
    if field is not None:
        kind = field.annotation
    elif issubclass(section, OpenSection):
        kind = section.load().get(first)
    if rest:
        inside = isinstance(kind, type) and issubclass(kind, Section)
        return kind_of(kind, rest) if inside else None
    return kind


def _joined(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key


def explain(
    error: ValidationError, known: Callable[[], Iterable[str]], prefix: str = ""
) -> SemveilError:
    """Return what pydantic refuses as one line: full key, reason, value."""
    first = error.errors()[0]
    key = _joined(prefix, ".".join(map(str, first["loc"]))).rstrip(".")
    if first["type"] == "extra_forbidden":
        return unknown("key", key, known(), KEYS)
    reason = first["msg"].removeprefix("Value error, ")
    return SemveilError(f"{key}: {reason} (got {shown(repr(first['input']))})")
