"""Settings, checked strictly: what every section of a recipe is made of. Knows no torch."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Section(BaseModel):
    """Settings of one thing; unknown keys, infinite numbers and truth values for numbers fail.

    A class that registers something gives its settings as an inner ``Config`` of this type.

    Attributes:
        section: Where the settings stand in a recipe, such as ``attack.pgd``. Registered classes
            get theirs from their name, unless the settings state it themselves.

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
        # To Python, true is the number 1; nobody who writes it means that.
        field = cls.model_fields.get(info.field_name or "")
        if field is not None and field.annotation is bool:
            return value
        if any(isinstance(item, bool) for item in (value if isinstance(value, list) else [value])):
            raise ValueError("must not be true or false")
        return value
