"""``semveil list``: what can be chosen by name."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from semveil.cli.options import AsJson

OURS = "semveil"


def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="schemes, protections, attacks, eavesdroppers, adversarial-training, metrics, "
            "datasets, recipes or papers; all if omitted."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what can be chosen by name, and which installed package adds it."""
    from semveil import api

    found = api.available(kind)
    if as_json:
        print(json.dumps(found))
        return
    for heading, entries in found.items():
        print(f"{heading}:")
        width = max(map(len, entries))
        for name, about in entries.items():
            first, *rest = _lines(about)
            print(f"  {name:{width}}  {first}")
            for line in rest:
                print(f"  {'':{width}}    {line}")


def _lines(about: dict[str, str]) -> list[str]:
    rest = dict(about)
    first, source, package = (rest.pop(key, "") for key in ("description", "source", "package"))
    if "scheme" in rest:
        return [f"{rest['scheme']} on {rest['data']}"]
    notes = [f" ({source})" if source else ""]
    notes += [f" [from {package}]" if package not in ("", OURS) else ""]
    return [first + "".join(notes), *(f"{what}: {stated}" for what, stated in rest.items())]
