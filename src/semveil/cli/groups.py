"""Options that several commands take together, as one parameter of their functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any


class OptionGroup:
    """Base of dataclasses whose fields are options of a command."""


def expanded(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of its groups in the places of the groups."""
    signature = inspect.signature(function, eval_str=True)
    groups, flat = dict[str, tuple[type, list[str]]](), list[inspect.Parameter]()
    for parameter in signature.parameters.values():
        kind, members = parameter.annotation, [parameter]
        if isinstance(kind, type) and issubclass(kind, OptionGroup):
            members = list(inspect.signature(kind, eval_str=True).parameters.values())
            groups[parameter.name] = kind, [member.name for member in members]
        flat += [member.replace(kind=inspect.Parameter.KEYWORD_ONLY) for member in members]

    @wraps(function)
    def run(**options: Any) -> None:
        for name, (kind, members) in groups.items():
            options[name] = kind(**{member: options.pop(member) for member in members})
        function(**options)

    run.__signature__ = signature.replace(parameters=flat)  # type: ignore[attr-defined]
    return run
