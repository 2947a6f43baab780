"""The one exception whose message is meant for the user, not for a developer."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class SemveilError(Exception):
    """Something the user can fix: the command line prints it as one line and exits with 2.

    Example:
        >>> str(SemveilError("no recipe 'mnst'"))
        "no recipe 'mnst'"
    """


class Interrupted(KeyboardInterrupt):
    """Interrupted work that can be resumed; its text names the command.

    Attributes:
        status: Exit status of the command line, 128 and the number of the signal.
    """

    status = 130


class Terminated(Interrupted):
    """Work that SIGTERM ends; without a text before anything can be resumed."""

    status = 143


class SemveilWarning(UserWarning):
    """Something that the user should know and may have meant; one line."""


def shown(text: str, most: int = 200) -> str:
    r"""Return what a user wrote as errors show it: one line, of which long ones show the beginning.

    Example:
        >>> shown("ab" * 500, most=6)
        'ababab…'
        >>> print(shown("a" + chr(27) + "[31m"))
        a\x1b[31m
    """
    some = text if len(text) <= most else f"{text[:most]}…"
    # Codes of a terminal would do what they say.
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in some)


_MOST_NAMES = 20


def unknown(kind: str, name: str, known: Iterable[str], command: str = "") -> SemveilError:
    """Return the error for a name that is not among those known, with the nearest one.

    Args:
        kind: What it was to name.
        name: The name.
        known: The names there are. They are listed if they are few, the nearest ones if not.
        command: The command that lists them.

    Example:
        >>> str(unknown("attack", "pdg", ["fgm", "pgd"]))
        "unknown attack 'pdg': did you mean 'pgd'? (there are: fgm, pgd)"
        >>> str(unknown("key", "steps", map("step{}".format, range(99)), "semveil show RECIPE"))
        "unknown key 'steps': did you mean 'step9'? (`semveil show RECIPE` lists all)"
    """
    # The nearest name takes time that grows with the square of the length.
    names, name = sorted(known), shown(name)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f": did you mean '{nearest[0]}'?" if nearest else ""
    if len(names) <= _MOST_NAMES:
        others = f" (there are: {', '.join(names)})"
    else:
        close = difflib.get_close_matches(name, names, n=3, cutoff=0.2)
        near = [] if nearest else [f"the nearest are {', '.join(close)}"] if close else []
        lists = [f"`{command}` lists all"] if command else []
        others = f" ({'; '.join(near + lists)})" if near or lists else ""
    return SemveilError(f"unknown {kind} '{name}'{hint}{others}")


@contextmanager
def in_file(path: Path) -> Iterator[None]:
    """Name a file in errors about what it states."""
    try:
        yield
    except SemveilError as error:
        raise SemveilError(f"{path}: {error}") from None


@contextmanager
def resumable(folder: Path, command: str, options: Sequence[str] = ()) -> Iterator[None]:
    """Name the command, with its options, that resumes the work in a folder if interrupted."""
    option = [] if command == "audit" else ["--resume"]
    with resumed_by(command, *option, str(folder), *options):
        yield


@contextmanager
def resumed_by(*words: str) -> Iterator[None]:
    """Name the command, whose words follow ``semveil``, that resumes what is interrupted."""
    try:
        yield
    except KeyboardInterrupt as stop:
        kind = Terminated if isinstance(stop, Terminated) else Interrupted
        raise kind(f"interrupted; go on with: {shlex.join(['semveil', *words])}") from None
