"""The command line's application, and how errors and warnings are printed."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from semveil.cli.groups import expanded
from semveil.cli.output import survive_any_encoding
from semveil.errors import Interrupted, SemveilError, SemveilWarning, Terminated, shown

_MOST = 4000  # characters of an error
# Options that have another name now.
RENAMED = {"--target": "--source-class", "--wrong": "--target-class"}


class _Group(TyperGroup):
    """The commands, those of groups too: interrupted, one names the command that resumes it."""

    def invoke(self, ctx: Any) -> Any:
        """Invoke a command."""
        try:
            return super().invoke(ctx)
        except Interrupted as stop:
            # Here, since typer turns it into an exit without a word.
            if str(stop):
                print(f"semveil: {stop}", file=sys.stderr)
            sys.exit(stop.status)


app = typer.Typer(
    name="semveil",
    cls=_Group,
    help="Private and robust semantic communications: train links, protect them, attack them, "
    "report the truth.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from semveil import __version__

        print(__version__)


def main() -> None:
    """Run the command line; errors that the user can fix end in one line and status 2."""
    warnings.formatwarning = _one_line
    survive_any_encoding()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        refuse_lost_folder()
        _refuse_empty(sys.argv[1:])
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except SemveilError as error:
        sys.exit(_fail(str(error)))
    except Interrupted as stop:
        sys.exit(stop.status)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # Who read the output has had enough; Python would complain when it flushes the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except typer.TyperException as error:
        message = _about_arguments(error)
        # Without any word the help has been printed, and there is nothing to add.
        sys.exit(_fail(message) if message else 2)
    except Exception as error:
        sys.exit(_fail(_unforeseen(error)))
    sys.exit(code if isinstance(code, int) else 0)


def _unforeseen(error: Exception) -> str:
    """Return what went wrong outside this package; raise what is a fault of ours."""
    from semveil.plugin_errors import of_plugin

    if (refusal := of_plugin(error)) is not None:
        return str(refusal)
    if isinstance(error, OSError) and error.filename is not None:
        # What a command does not foresee, such as a folder that was removed meanwhile.
        return f"cannot use {error.filename}: {error.strerror}"
    raise error


def refuse_lost_folder() -> None:
    """Refuse a current folder that was removed: libraries that look for it abort the process."""
    try:
        os.getcwd()
    except OSError:
        raise SemveilError("the current folder was removed: change to another one") from None


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuse arguments without a character, which as paths would name the current folder."""
    for before, word in pairwise(["", *words]):
        option, _, value = word.partition("=")
        if not word or (option.startswith("--") and word.endswith("=") and not value):
            named = option or (before if before.startswith("-") else "an argument")
            raise SemveilError(f"{named} is empty: give it a value")


def _about_arguments(error: typer.TyperException) -> str:
    """Return what is wrong with the arguments of a command."""
    option = getattr(error, "option_name", None)
    if option in RENAMED:
        return f"{option} is now {RENAMED[option]}"
    # Its text is a method of the subclasses.
    return str(getattr(error, "format_message", error.__str__)())


def command(function: Callable[..., None], name: str | None = None) -> None:
    """Add a command."""
    app.command(name)(expanded(function))


def _terminate(*_: object) -> NoReturn:
    # Once: what cleans up now is not to be interrupted by a second signal.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated


_whole_warning = warnings.formatwarning
_told: set[str] = set()


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Show what is meant for the user as one line, and other warnings as Python does."""
    if issubclass(category, SemveilWarning):
        # Python forgets what it has shown whenever a library changes the filters for a while.
        text = "" if str(message) in _told else f"semveil: {message}\n"
        _told.add(str(message))
        return text
    return _whole_warning(message, category, filename, lineno, line)


def _fail(message: str) -> int:
    print(f"semveil: {shown(' '.join(message.split()), most=_MOST)}", file=sys.stderr)
    return 2
