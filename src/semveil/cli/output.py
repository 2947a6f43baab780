"""What commands print, on terminals of any encoding."""

from __future__ import annotations

import codecs
import io
import json
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from semveil.experiment.link import Link
    from semveil.result import Result

_PLAIN = {"–": "-", "−": "-", "—": "-", "×": "x", "·": "|", "…": "...", "’": "'"}
_PLAIN |= {"≥": ">=", "≤": "<=", "→": "->", "±": "+-", "ε": "epsilon", "σ": "sigma", "‖": "|"}


def survive_any_encoding() -> None:
    """Let the standard streams replace what their encoding lacks by its nearest plain text."""
    codecs.register_error("plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    missing = error.object[error.start : error.end]
    return "".join(map(_nearest, missing)), error.end


def _nearest(letter: str) -> str:
    bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return _PLAIN.get(letter) or bare or "?"


def console() -> Console:
    """Return a console that takes text as it is, brackets and colons too."""
    from rich.console import Console

    found = Console(markup=False, emoji=False, highlight=False)
    # A pipe has no width; tables need this much.
    return found if found.is_terminal else Console(markup=False, emoji=False, width=100)


def print_folder(title: str, link: Link, quiet: bool, as_json: bool) -> None:
    """Print the folder of a trained link."""
    assert link.run is not None
    folder = link.run.folder
    if as_json:
        print(json.dumps({"folder": str(folder)}))
    elif not quiet:
        print(f"{title}: {folder}")


def print_result(found: Result, quiet: bool, as_json: bool, page: str = "report.html") -> None:
    """Print the table of a result, or its records as JSON."""
    from semveil.flags import admissions
    from semveil.records import to_line
    from semveil.report.attack_rows import attack_table, only_attacks
    from semveil.report.summary import summary_table

    assert found.folder is not None
    if as_json:
        shown: dict[str, Any] = {
            "folder": str(found.folder),
            "report": str(found.folder / page),
            "records": [json.loads(to_line(record)) for record in found.records],
        }
        print(json.dumps(shown))
    elif not quiet:
        for admission in admissions(found.records):
            for line in admission.lines():
                print(line)
        attacks = only_attacks(found.to_pandas())
        table = attack_table if attacks else summary_table
        console().print(table(found.records))
        print(f"Report: {found.folder / page}")
