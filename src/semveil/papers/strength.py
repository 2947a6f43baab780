"""How strong the links of a study are beside published ones: no verdict stands on a weak link.

An entry of ``links`` in ``claims.yaml`` has

- ``value``: fields of the record that says how strong the link is, among them ``metric``: an
  accuracy, or a PSNR;
- ``cases``: axes, as those of a claim, of which each combination is a link of its own;
- ``published``: the level of the published link: a number, a choice by the case, or ``null`` where
  none is published, which asks nothing of the link;
- ``source``: where the level is published.

A link is weak if its number lies more than two points of accuracy or half a decibel of PSNR below
the level, or was not measured. A claim that names it in its own ``links`` is then not judged in the
cases that agree with the link's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from semveil.errors import SemveilError
from semveil.metrics import metric_of
from semveil.papers.cases import Case, cases
from semveil.papers.values import Fields, Found, Scope, Selector, choose
from semveil.papers.words import FORMATS

BELOW = {"%": 0.02, "dB": 0.5}
"""How far a link may lie below the published level, by the unit of the metric."""


class Level(BaseModel):
    """The published level of a link; see the module."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: dict[str, Any]
    cases: dict[str, Any] = Field(default_factory=dict)
    published: Any
    source: str


@dataclass(frozen=True)
class Strength:
    """A link beside its published level."""

    name: str
    case: Case
    metric: str
    found: Found | None
    published: float | None
    source: str

    @property
    def weak(self) -> bool:
        """Whether no verdict may rest on it."""
        if self.published is None:
            return False
        unit = metric_of(self.metric).unit
        if unit not in BELOW:
            raise SemveilError(f"links.{self.name}: {self.metric} is neither in % nor in dB")
        return self.found is None or self.found.number.value < self.published - BELOW[unit] - 1e-9

    def of(self, fields: Fields) -> bool:
        """Tell whether it is the link of a case of a claim."""
        return all(_agrees(fields.get(name), value) for name, value in self.case.fields.items())

    @property
    def level(self) -> str:
        """The published level with its unit."""
        kind = metric_of(self.metric)
        value = self.published
        return "none" if value is None else f"{kind.format(value)} {kind.unit}"

    @property
    def measured(self) -> str:
        """What was measured, with its unit and interval."""
        written = FORMATS["dB" if metric_of(self.metric).unit == "dB" else "rate"]
        return "not measured" if self.found is None else written(self.found.number)

    @property
    def words(self) -> str:
        """Why no verdict may rest on it."""
        where = f" on {', '.join(self.case.words)}" if self.case.words else ""
        said = "was not measured" if self.found is None else f"is too weak: {self.measured}"
        return f"the link {self.name}{where} {said}, {self.level} is published"


def _agrees(wanted: Any, value: Any) -> bool:
    if wanted is None or isinstance(wanted, Mapping):
        return True
    return value in wanted if isinstance(wanted, list) else bool(value == wanted)


def strengths(name: str, link: Level, selector: Selector) -> list[Strength]:
    """Return a link beside its published level, in each of its cases."""
    found = []
    for case in cases(selector, {}, link.cases):
        scope = Scope(selector, fields=case.fields)
        level, number = scope.number(link.published), scope.find(link.value)
        if level or number:
            metric = str(choose(link.value["metric"], case.fields))
            value = None if level is None else level.value
            found.append(Strength(name, case, metric, number, value, link.source))
    return found
