"""``semveil show``: the settings of a recipe."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from semveil.cli.options import AsJson, Set, complete_recipes


def show(
    recipe: Annotated[
        str,
        typer.Argument(
            help="A recipe of `semveil list`, or a .yaml file.", autocompletion=complete_recipes
        ),
    ],
    changes: Set = None,
    as_json: AsJson = False,
) -> None:
    """Show every setting that a run of a recipe would have, as YAML that is a recipe too."""
    from semveil import api, strict_yaml

    found = api.settings(recipe, changes or ())
    settings = found.model_dump(mode="json")
    text = json.dumps(settings) if as_json else strict_yaml.dump(settings)
    print(text.rstrip("\n"))
    added = 0 if as_json else api.added_channel_uses(found)
    if added:
        print(f"# channel uses per image that protections add: {added}")
