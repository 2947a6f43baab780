"""What attacks and eavesdroppers have in common: a name, a source, settings of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from pydantic import ValidationError

from semveil.errors import SemveilError
from semveil.section import Section, explain, keys_of
from semveil.style import Style


class Configured:
    """An adversary with settings of its own.

    Args:
        config: Its settings, checked already; those of ``settings``, or the defaults, if omitted.
        settings: Its settings by name.

    Attributes:
        name: Its name in recipes, on the command line and in records.
        description: One line on what it does.
        source: Who published it, or that it is the project's own.
        style: How it is drawn.
        Config: Its settings and their defaults.
        config: Its settings as they are.

    Raises:
        SemveilError: If it has no name, there is no such setting, or a value does not fit.

    Example:
        >>> from pydantic import Field
        >>> class Mine(Configured):
        ...     name = "mine"
        ...     class Config(Section):
        ...         alpha: float = Field(0.5, lt=1)
        >>> Mine(alpha=0.3)
        Mine(alpha=0.3)
        >>> Mine(alpha=2)
        Traceback (most recent call last):
            ...
        semveil.errors.SemveilError: mine.alpha: Input should be less than 1 (got 2)
    """

    name: ClassVar[str]
    description: ClassVar[str] = ""
    source: ClassVar[str] = ""
    style: ClassVar[Style] = Style()
    Config: ClassVar[type[Section]] = Section
    config: Any

    def __init__(self, config: Section | None = None, /, **settings: Any) -> None:
        if not hasattr(self, "name"):
            raise SemveilError(f"{type(self).__name__} has no name: give it an attribute name")
        if config is not None and not isinstance(config, Section):
            raise SemveilError(
                f"{type(self).__name__}: name its settings, as in {self._example()}, not {config!r}"
            )
        self.config = config or self._checked(settings)

    def _example(self) -> str:
        name = next(iter(self.Config.model_fields), None)
        value = "" if name is None else f"{name}={self.Config.model_fields[name].default!r}"
        return f"{type(self).__name__}({value})"

    def _checked(self, settings: dict[str, Any]) -> Section:
        try:
            return self.Config(**settings)
        except ValidationError as error:
            raise explain(error, partial(keys_of, self.Config, self.name), self.name) from None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config.__repr_str__(', ')})"


def require_distinct(kind: str, names: Sequence[str]) -> None:
    """Refuse two of one name: records could not tell them apart.

    Raises:
        SemveilError: If there are two.

    Example:
        >>> require_distinct("attacks", ["fgm", "pgd"])
    """
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SemveilError(
            f"two {kind} have the name '{twice}': subclass one of them under another name"
        )
