"""Small pieces of HTML; every text that comes from outside is escaped here."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable


def tag(name: str, *content: str, **attributes: str) -> str:
    """Return an element around content that is HTML already; attribute values are escaped.

    Args:
        name: Name of the element.
        *content: HTML, one piece a line; empty pieces are left out.
        **attributes: Attributes; a trailing underscore is dropped (``class_``), another becomes a
            hyphen.

    Returns:
        The element.

    Example:
        >>> tag("p", "so", class_="lead")
        '<p class="lead">so</p>'
    """
    marks = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{marks}>" + "\n".join(filter(None, content)) + f"</{name}>"


def text(value: object) -> str:
    """Return a text as HTML.

    Example:
        >>> text("a < b & c")
        'a &lt; b &amp; c'
    """
    return html.escape(str(value))


def data_uri(content: bytes, kind: str) -> str:
    """Return content as a URI that needs no network and no file.

    Args:
        content: The bytes.
        kind: Their media type, such as ``text/csv``.

    Returns:
        The URI.

    Example:
        >>> data_uri(b"a,b", "text/csv")
        'data:text/csv;base64,YSxi'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def terms(pairs: Iterable[tuple[str, object]]) -> str:
    """Return pairs of words as a description list.

    Example:
        >>> terms([("seed", 0)])
        '<dl class="facts"><dt>seed</dt><dd>0</dd></dl>'
    """
    items = (tag("dt", text(key)) + tag("dd", text(value)) for key, value in pairs)
    return tag("dl", *items, class_="facts")
