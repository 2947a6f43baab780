"""``semveil list``: what can be chosen by name."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from semveil.cli.options import AsJson
from semveil.errors import unknown


def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="schemes, attacks, trainings, 'data sets', recipes or studies; all if omitted."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the schemes, attacks, trainings, data sets, recipes and studies there are."""
    from semveil import data as sets
    from semveil import recipe as recipes
    from semveil.adversary.perturb import ATTACKS
    from semveil.adversary.perturb.attack import in_order
    from semveil.schemes import SCHEMES
    from semveil.studies import base as studies
    from semveil.training import TRAININGS

    found: dict[str, dict[str, Any]] = {
        "schemes": {name: scheme.statement() for name, scheme in SCHEMES.items()},
        "attacks": {name: _described(ATTACKS.get(name)) for name in in_order()},
        "trainings": {name: _described(kind) for name, kind in TRAININGS.items()},
        "data sets": sets.names(),
        "recipes": {name: recipes.load(name).scheme for name in recipes.names()},
        "studies": {name: studies.get(name).title for name in studies.names()},
    }
    if kind is not None:
        if kind not in found:
            raise unknown("kind", kind, list(found))
        found = {kind: found[kind]}
    if as_json:
        print(json.dumps(found))
        return
    for heading, entries in found.items():
        print(f"{heading}:")
        width = max(map(len, entries))
        for name, about in entries.items():
            title, *rest = [about] if isinstance(about, str) else _lines(about)
            print(f"  {name:{width}}  {title}")
            for line in rest:
                print(f"  {'':{width}}    {line}")


def _described(kind: Any) -> str:
    return f"{kind.description} ({kind.source})"


def _lines(statement: dict[str, str]) -> list[str]:
    title, *rest = statement.items()
    return [title[1], *(f"{what}: {stated}" for what, stated in rest)]
