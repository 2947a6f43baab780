"""The command line's application, and how errors and warnings are printed."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from semveil.errors import SemveilError, SemveilWarning

app = typer.Typer(
    name="semveil",
    help="Private and robust semantic communications: train links, protect them, attack them, "
    "report the truth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from semveil import __version__

        typer.echo(__version__)


def main() -> None:
    """Run the command line; errors that the user can mend end in one line and status 2."""
    warnings.formatwarning = _one_line
    try:
        code = app(standalone_mode=False)
    except SemveilError as error:
        sys.exit(_fail(str(error)))
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except typer.TyperException as error:
        # Complaints about the words of the command; their text is a method of the subclasses.
        message = getattr(error, "format_message", error.__str__)()
        # Without any word the help has been printed, and there is nothing to add.
        sys.exit(_fail(message) if message else 2)
    sys.exit(code if isinstance(code, int) else 0)


_whole_warning = warnings.formatwarning


def _one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """Show what is meant for the user as one line, and other warnings as Python does."""
    if issubclass(category, SemveilWarning):
        return f"semveil: {message}\n"
    return _whole_warning(message, category, filename, lineno, line)


def _fail(message: str) -> int:
    print(f"semveil: {' '.join(message.split())}", file=sys.stderr)
    return 2
