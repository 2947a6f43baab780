"""``semveil list``: what can be chosen by name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from semveil.cli.options import AsJson
from semveil.errors import unknown
from semveil.registry import Registry

OURS = "semveil"


def list_names(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="schemes, protections, attacks, eavesdroppers, trainings, metrics, "
            "'data sets', recipes or studies; all if omitted."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what can be chosen by name, and which installed package adds it."""
    from semveil import recipe as recipes
    from semveil.adversary.eavesdrop import EAVESDROPPERS
    from semveil.adversary.perturb import ATTACKS
    from semveil.adversary.perturb.attack import in_order
    from semveil.data import DATASETS, folder
    from semveil.metrics import METRICS
    from semveil.papers import PAPERS
    from semveil.protect import PROTECTIONS
    from semveil.schemes import SCHEMES
    from semveil.training import TRAININGS

    found: dict[str, dict[str, dict[str, str]]] = {
        "schemes": _entries(SCHEMES),
        "protections": _entries(PROTECTIONS),
        "attacks": _entries(ATTACKS, in_order()),
        "eavesdroppers": _entries(EAVESDROPPERS),
        "trainings": _entries(TRAININGS),
        "metrics": _entries(METRICS),
        "data sets": _entries(DATASETS) | {"folder:PATH": {"description": folder.DESCRIPTION}},
        "recipes": recipes.overview(),
        "studies": _entries(PAPERS),
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
            first, *rest = _lines(about)
            print(f"  {name:{width}}  {first}")
            for line in rest:
                print(f"  {'':{width}}    {line}")


def _entries(registry: Registry[Any], names: Iterable[str] = ()) -> dict[str, dict[str, str]]:
    """Return what the classes of a registry say of themselves, and who registered them."""
    return {
        name: _statement(registry.get(name)) | {"package": registry.origin(name)}
        for name in names or sorted(registry.names())
    }


def _statement(kind: Any) -> dict[str, str]:
    if hasattr(kind, "statement"):
        statement: dict[str, str] = kind.statement()
        return statement
    return {"description": kind.description, "source": kind.source}


def _lines(about: dict[str, str]) -> list[str]:
    rest = dict(about)
    first, source, package = (rest.pop(key, "") for key in ("description", "source", "package"))
    if "scheme" in rest:
        return [f"{rest['scheme']} on {rest['data']}"]
    notes = [f" ({source})" if source else ""]
    notes += [f" [from {package}]" if package not in ("", OURS) else ""]
    return [first + "".join(notes), *(f"{what}: {stated}" for what, stated in rest.items())]
