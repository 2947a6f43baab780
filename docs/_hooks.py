"""Fills the tables of the pages from the code, and runs their Python blocks.

The pages and figures in ``results/`` become part of the site, and the repository that
``pyproject.toml`` states is linked. A comment ``<!-- settings -->`` (or another name of ``TABLES``)
on a page is replaced by that table, and ``<!-- file PATH -->`` by a file of the repository, which
the tests run. Any error ends the build.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from pydantic import BaseModel

from semveil import recipe as recipes
from semveil.adversary.eavesdrop import EAVESDROPPERS
from semveil.adversary.perturb import ATTACKS
from semveil.adversary.perturb.attack import in_order
from semveil.data import DATASETS
from semveil.metrics import METRICS
from semveil.papers import PAPERS, overview
from semveil.papers.overview import in_words
from semveil.protect import PROTECTIONS
from semveil.recipe import OpenSection
from semveil.records import FIELDS
from semveil.registry import Registry
from semveil.schemes import SCHEMES
from semveil.training import TRAININGS

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.M | re.S)
LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".j2": "jinja"}


def on_config(config: MkDocsConfig) -> None:
    """Link the repository, where one is stated."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    config.repo_url = project.get("urls", {}).get("Repository")
    config.repo_name = "Repository"


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Add the results: pages, figures and records."""
    for path in [RESULTS / "README.md", *sorted(RESULTS.glob("*/*.*"))]:
        uri = path.relative_to(ROOT).as_posix()
        inclusion = InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, uri, abs_src_path=str(path), inclusion=inclusion))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill in the tables of a page, and run its Python blocks."""
    where = page.file.src_uri
    if where == "conventions.md":
        missing = [name for name in FIELDS if f"| `{name}` |" not in markdown]
        if missing:
            raise PluginError(f"{where}: fields of a record without an explanation: {missing}")
    if where.startswith("results/"):
        return markdown.replace("](../docs/", "](../")
    if not where.startswith("reference/"):
        _run_blocks(markdown, where)
    # Links hold in the repository too, where the results lie beside the documentation.
    markdown = markdown.replace("](../results/", "](results/")
    markdown = re.sub(r"^<!-- file (\S+) -->$", lambda m: _file(m[1]), markdown, flags=re.M)
    return re.sub(r"^<!-- (\w+) -->$", lambda found: TABLES[found[1]](), markdown, flags=re.M)


def _run_blocks(markdown: str, where: str) -> None:
    """Run the Python blocks of a page in order, where what they write is thrown away."""
    space: dict[str, Any] = {"__name__": "__main__"}
    with TemporaryDirectory() as place, contextlib.chdir(place):
        for path in ROOT.iterdir():
            Path(place, path.name).symlink_to(path)
        for block in BLOCK.finditer(markdown):
            try:
                with contextlib.redirect_stdout(None):
                    exec(compile(block["code"], where, "exec"), space)
            except Exception as error:
                raise PluginError(f"{where}: an example fails: {error!r}") from error


def _file(path: str) -> str:
    """Return a file of the repository as a block of code."""
    text = (ROOT / path).read_text().rstrip()
    return f'```{LANGUAGES[Path(path).suffix]} title="{path}"\n{text}\n```'


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def _settings() -> str:
    """Return one table per section of a recipe, inner sections after the outer one."""
    return "\n\n".join(
        part for name, kind in _sections(recipes.Recipe) for part in _section(name, kind)
    )


def _sections(kind: type[BaseModel]) -> list[tuple[str, type[BaseModel]]]:
    fields: list[tuple[str, Any]] = [
        (n, field.annotation) for n, field in kind.model_fields.items()
    ]
    if issubclass(kind, OpenSection):
        fields += sorted(kind.load().items())
    found = [(n, k) for n, k in fields if isinstance(k, type) and issubclass(k, BaseModel)]
    return [(name, kind) for name, kind in found if kind.model_fields]


def _section(name: str, kind: type[BaseModel]) -> list[str]:
    """Return the tables of a section and of its inner sections."""
    about, meanings = _documented(kind)
    about += f" Used by: {', '.join(users)}." if (users := _users(kind)) else ""
    inner = dict(_sections(kind))
    rows = [
        [f"`{name}.{key}`", f"`{json.dumps(value['default'])}`", _takes(value), meanings[key]]
        for key, value in kind.model_json_schema()["properties"].items()
        if key not in inner
    ]
    table = _table(["key", "default", "values", "meaning"], rows)
    parts = [f"### {name}\n\n{about}\n\n{table}"]
    for key, part in inner.items():
        parts += _section(f"{name}.{key}", part)
    return parts


def _users(config: type[BaseModel]) -> list[str]:
    """Return the schemes that read a section."""
    return [
        f"`{name}`"
        for name, scheme in sorted(SCHEMES.items())
        if config in scheme(recipes.Recipe(protections=list(scheme.protections))).sections()
    ]


def _documented(kind: type) -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a class's docstring, and the description of each attribute."""
    sections = griffe.Docstring(inspect.getdoc(kind) or "").parse("google")
    meanings = {
        item.name: " ".join(item.description.split())
        for section in sections
        if section.kind is griffe.DocstringSectionKind.attributes
        for item in section.value
    }
    return str(sections[0].value), meanings


def _takes(schema: dict[str, Any]) -> str:
    """Return the values that a JSON schema allows, in words."""
    if "anyOf" in schema:
        return " or ".join(_takes(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        least = ", at least one" if schema.get("minItems") else ""
        return f"list{least}: {_takes(schema['items'])}"
    word = {
        "boolean": "true or false",
        "integer": "whole number",
        "null": "null",
        "number": "number",
        "string": "text",
    }
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return f"{word[schema['type']]} {' and '.join(bounds)}".replace("-", "−").strip()


def _recipes() -> str:
    rows = [
        [f"`{name}`", f"`{recipe.scheme}`", recipe.data.name, str(recipe.link.latent_dim)]
        for name in recipes.names()
        for recipe in [recipes.load(name)]
    ]
    return _table(["recipe", "scheme", "data set", "latent dimension"], rows)


def _schemes() -> str:
    rows = [[f"`{name}`", *kind.statement().values()] for name, kind in sorted(SCHEMES.items())]
    return _table(["scheme", "description", "protects", "asymmetry", "guarantee"], rows)


def _registered(registry: Registry[Any], names: Iterable[str] = ()) -> str:
    """Return the table of everything that a registry holds, in the order of the names."""
    rows = [
        [f"`{name}`", kind.description, kind.source]
        for name in names or sorted(registry.names())
        for kind in [registry.get(name)]
    ]
    return _table([registry.kind, "description", "source"], rows)


@cache
def _overview() -> list[dict[str, Any]]:
    return overview(RESULTS)


def _papers() -> str:
    """Return the index of papers with the verdicts of the committed results."""
    rows = [
        [
            f"{paper['source']}, {paper['shows']}",
            paper["description"],
            f"`{paper['command']}`",
            f"[page](results/{paper['name']}/README.md)" if paper["records"] else "–",
            in_words(paper["claims"]),
        ]
        for paper in _overview()
    ]
    return _table(["table or figure", "what is measured", "command", "results", "verdicts"], rows)


def _claims() -> str:
    """Return every claim of every paper with its verdicts."""
    rows = [
        [f"`{paper['name']}`", claim["claim"], claim["source"], in_words([claim])]
        for paper in _overview()
        for claim in paper["claims"]
    ]
    return _table(["study", "claim", "place in the paper", "verdicts"], rows)


TABLES = {
    "settings": _settings,
    "recipes": _recipes,
    "schemes": _schemes,
    "studies": lambda: _registered(PAPERS),
    "protections": lambda: _registered(PROTECTIONS),
    "attacks": lambda: _registered(ATTACKS, in_order()),
    "eavesdroppers": lambda: _registered(EAVESDROPPERS),
    "trainings": lambda: _registered(TRAININGS),
    "metrics": lambda: _registered(METRICS),
    "datasets": lambda: _registered(DATASETS),
    "papers": _papers,
    "claims": _claims,
}
