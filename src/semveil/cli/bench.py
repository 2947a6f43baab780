"""``semveil bench``: speed, as ratios."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from semveil.cli.options import AsJson, Quiet
from semveil.cli.output import console
from semveil.errors import SemveilError


def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which ratios; all if omitted.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Measure speed, as ratios against stated references in one run."""
    from semveil.progress import bars

    benchmarks = _benchmarks()
    with bars(quiet or as_json) as progress:
        result = benchmarks.run(names or None, quick=quick, progress=progress)
    if as_json:
        print(json.dumps(result))
    elif not quiet:
        console().print(benchmarks.table(result))


def _benchmarks() -> Any:
    """Import the benchmarks, which a checkout has beside the package."""
    import semveil

    root = Path(semveil.__file__).parents[2]
    if not (root / "benchmarks" / "__init__.py").is_file():
        raise SemveilError(
            "bench: the benchmarks are not part of the installed package; run it in a checkout "
            "of the repository (make bench)"
        )
    sys.path.insert(0, str(root))
    return import_module("benchmarks")
