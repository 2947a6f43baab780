"""Exceptions of plugins as errors for users: which class of which package failed, and where."""

from __future__ import annotations

import inspect
import traceback
from types import FrameType

from semveil.errors import SemveilError, shown
from semveil.registry import origin, plugins


def of_plugin(error: BaseException) -> SemveilError | None:
    """Return an exception from a plugin's code as an error for users; None if it is not from one.

    The innermost call in a plugin's file counts, or else of a method that one of its classes
    inherits.
    """
    calls = list(traceback.walk_tb(error.__traceback__))[::-1]
    for frame, line in calls:
        package = plugins().get(_module(frame).partition(".")[0])
        if package is not None:
            name = f"{_module(frame)}.{frame.f_code.co_qualname}"
            return _refusal(f"{name} ({package}, {frame.f_code.co_filename}:{line})", error)
    for frame, _ in calls:
        owner = frame.f_locals.get("cls", type(frame.f_locals.get("self")))
        if isinstance(owner, type) and owner.__module__.partition(".")[0] in plugins():
            return _refusal(where(owner), error)
    return None


def where(kind: type, method: str = "") -> str:
    """Return class, package and place of a plugin's class or of its method."""
    name = ".".join(filter(None, [kind.__module__, kind.__qualname__, method]))
    item = getattr(kind, method) if method else kind
    try:
        place = f", {inspect.getsourcefile(item)}:{inspect.getsourcelines(item)[1]}"
    except (OSError, TypeError):
        place = ""
    return f"{name} ({origin(kind)}{place})"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _refusal(place: str, error: BaseException) -> SemveilError:
    reason = " ".join(str(error).split())
    return SemveilError(f"{place} failed: {type(error).__name__}: {shown(reason, most=500)}")
