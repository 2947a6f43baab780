"""Makes the docstrings readable here: Google's style with a little reStructuredText in it."""

from __future__ import annotations

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`~?([\w.]+)`")


def readable(docstring: str) -> str:
    """Return a docstring as Markdown in Google's sections.

    Example:
        >>> readable("See :func:`semveil.data.load` and :func:`fit`.")
        'See [`semveil.data.load`][] and `fit`.'
    """

    def link(role: re.Match[str]) -> str:
        name = role[1]
        return f"[`{name}`][]" if name.startswith("semveil.") else f"`{name}`"

    docstring = ROLE.sub(link, docstring)
    docstring = re.sub(r"::(?=\n\n +)", ":", docstring)
    return re.sub(r"^Example:$", "Examples:", docstring, flags=re.MULTILINE)


class Docstrings(griffe.Extension):
    """Applies :func:`readable` to everything that is documented."""

    def on_instance(self, *, obj: griffe.Object | griffe.Alias, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if not obj.is_alias and obj.docstring:
            obj.docstring.value = readable(obj.docstring.value)
