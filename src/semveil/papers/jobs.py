"""The jobs of a paper: ``jobs.yaml`` says which systems, over which grids, at which budgets.

The file holds ``title`` (one line), ``citation``, ``shows`` (the table or figure), ``rank`` (its
place among the studies that ``semveil reproduce`` runs: the lowest comes first), ``include``
(another such file, relative to this one, whose settings come first), and

- ``settings``: layers of dotted keys of a recipe, later over earlier: ``{set: {...}}`` for all
  jobs, ``{when: {budget: cpu, dataset: [mnist, cifar10]}, set: {...}}`` for some. ``when`` may also
  ask for the name of the study (``study``) and all variables of the grid;
- ``jobs``: entries with ``name``, ``recipe`` (its starting point), ``schemes``, ``work`` (a
  function, ``"module:function"``; trains and audits unless given), ``params`` (what the records
  carry besides), ``set`` (settings of its own, over the layers; ``settings: false`` for none but
  these), ``when``, ``over``, a grid of variables, and ``jobs``, entries within the grid that take
  all else from the one around them;
- ``omitted_records``: selections of records that no table, figure or claim of the study uses, such
  as ``{metric: ssim, image_class: {not: [null]}}``, by fields as in
  :mod:`semveil.papers.values`. The study's ``records.jsonl`` leaves out what one of them matches;
  the jobs' own keep all. A value may be a choice by the budget;
- ``pictures``: a function that draws pictures of the user's own images from the jobs' folders.

A variable's values are a list, or a choice by the budget: ``{by: budget, smoke: [digits], else:
[mnist, cifar10]}``. ``"form, weight"`` takes pairs. The variable ``seed`` is added to the study's
seed. Texts name variables in braces, with a format where wanted: ``"{dataset}-{weight:g}"``; a text
that is one variable alone has its type. Of ``schemes``, one with added protections is
``{scheme: ibal, protections: [rotation]}``.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semveil import recipe as recipes
from semveil.errors import SemveilError
from semveil.experiment.jobs import Job
from semveil.papers.files import read
from semveil.papers.values import Fields, check_fields, choose
from semveil.records import FIELDS, from_plain

BUDGETS = ("smoke", "cpu", "gpu")
TRAIN_AND_AUDIT = "semveil.experiment.jobs:train_and_audit"


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Layer(_Spec):
    """Settings that hold under a condition."""

    when: dict[str, Any] = Field(default_factory=dict)
    set: dict[str, Any]


class Entry(_Spec):
    """One entry of ``jobs``; see the module."""

    name: str | None = None
    recipe: str | None = None
    schemes: list[str | dict[str, Any]] | None = None
    work: Any = None
    params: dict[str, Any] = Field(default_factory=dict)
    set: dict[str, Any] = Field(default_factory=dict)
    settings: bool = True
    when: dict[str, Any] = Field(default_factory=dict)
    over: dict[str, Any] = Field(default_factory=dict)
    jobs: list[Entry] = Field(default_factory=list)

    @model_validator(mode="after")
    def _checked(self) -> Entry:
        for name, values in self.over.items():
            if not isinstance(values, list) and not (isinstance(values, dict) and "by" in values):
                raise ValueError(f"over.{name}: give a list, or a choice by the budget")
        return self


class Jobs(_Spec):
    """The content of ``jobs.yaml``."""

    title: str = ""
    citation: str = ""
    shows: str = ""
    rank: int = 1000
    include: str | None = None
    settings: list[Layer] = Field(default_factory=list)
    jobs: list[Entry] = Field(default_factory=list)
    omitted_records: list[dict[str, Any]] = Field(default_factory=list)
    pictures: str | None = None

    @model_validator(mode="after")
    def _checked(self) -> Jobs:
        for fields in self.omitted_records:
            check_fields(fields, FIELDS)
        return self


def load(path: Path) -> Jobs:
    """Read a ``jobs.yaml`` and what it includes."""
    jobs = read(path, Jobs)
    if jobs.include is None:
        return jobs
    included = load(path.parent / jobs.include)
    return jobs.model_copy(update={"settings": [*included.settings, *jobs.settings]})


def expand(jobs: Jobs, study: str, budget: str, seed: int) -> list[Job]:
    """Return the jobs of a budget, in order."""
    variables = {"study": study, "budget": budget, "seed": seed}
    return [job for entry in jobs.jobs for job in _expanded(entry, jobs.settings, variables)]


def omitted(jobs: Jobs, budget: str) -> list[Fields]:
    """Return the selections of records that a study leaves out at a budget."""
    variables = {"budget": budget}
    return [
        {"image_class": "any"} | {name: choose(each, variables) for name, each in fields.items()}
        for fields in jobs.omitted_records
    ]


def _expanded(entry: Entry, layers: Sequence[Layer], variables: dict[str, Any]) -> Iterator[Job]:
    known = {name: wanted for name, wanted in entry.when.items() if name in variables}
    # What a budget does not run need not have values for it.
    for point in _grid(entry.over, variables) if _holds(known, variables) else ():
        here = {**variables, **point, "seed": variables["seed"] + point.get("seed", 0)}
        if not _holds(entry.when, here):
            continue
        if not entry.jobs:
            yield _job(entry, layers, here)
        for inner in entry.jobs:
            yield from _expanded(_within(entry, inner), layers, here)


def _within(outer: Entry, inner: Entry) -> Entry:
    """Return an entry with what it takes from the one around it."""
    common = outer.model_dump(include={"name", "recipe", "schemes", "work"})
    own = {name: getattr(inner, name) or value for name, value in common.items()}
    own["set"], own["params"] = outer.set | inner.set, outer.params | inner.params
    own["settings"] = outer.settings and inner.settings
    return inner.model_copy(update=own)


def _grid(over: Mapping[str, Any], variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    axes = []
    for names, values in over.items():
        keys = [name.strip() for name in names.split(",")]
        rows = [[each] if len(keys) == 1 else each for each in choose(values, variables)]
        axes.append([dict(zip(keys, row, strict=True)) for row in rows])
    for point in product(*axes):
        yield {name: value for part in point for name, value in part.items()}


def _holds(when: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    return all(
        variables.get(name) in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in when.items()
    )


def _job(entry: Entry, layers: Sequence[Layer], variables: Mapping[str, Any]) -> Job:
    settings: dict[str, Any] = {}
    for layer in [*(layers if entry.settings else []), Layer(set=entry.set)]:
        if _holds(layer.when, variables):
            settings |= {key: filled(value, variables) for key, value in layer.set.items()}
    if not (entry.name and entry.recipe and entry.schemes):
        raise SemveilError(f"job {entry.name}: give name, recipe and schemes")
    base = recipes.load(filled(entry.recipe, variables))
    return Job(
        name=str(filled(entry.name, variables)),
        recipe=recipes.update(base, nested(settings)),
        schemes=tuple(from_plain(filled(asked, variables)) for asked in entry.schemes),
        seed=variables["seed"],
        params={key: filled(value, variables) for key, value in entry.params.items()},
        work=filled(choose(entry.work, variables), variables) or TRAIN_AND_AUDIT,
    )


def filled(value: Any, variables: Mapping[str, Any]) -> Any:
    """Put variables into a text; a text that is one variable alone becomes its value."""
    value = choose(value, variables)
    if isinstance(value, list):
        return [filled(each, variables) for each in value]
    if isinstance(value, dict):
        return {key: filled(each, variables) for key, each in value.items()}
    if not isinstance(value, str) or "{" not in value:
        return value
    parts = list(string.Formatter().parse(value))
    try:
        if len(parts) == 1 and parts[0][0] == "" and not parts[0][2]:
            return variables[str(parts[0][1])]
        return value.format_map(variables)
    except KeyError as error:
        raise SemveilError(
            f"{value}: no variable {error} (there are: {', '.join(variables)})"
        ) from error


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into nested sections."""
    plain: dict[str, Any] = {}
    for key, value in settings.items():
        *path, last = key.split(".")
        section = plain
        for part in path:
            section = section.setdefault(part, {})
        section[last] = value
    return plain
