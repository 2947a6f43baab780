"""Numbers with intervals, selected from records by fields or made of others.

A value in ``claims.yaml``, and a cell of a table in ``page.md.j2``, is one of:

- a number;
- the name of a value that is defined under ``values``;
- a mapping of fields of a record (also ``system``, ``params.KEY``) to what they must equal. Its
  surroundings set fields too (``where``, the case, the column); the inner one wins.
- a mapping with one of the forms ``difference``, ``ratio`` and ``mean`` (of numbers that count as
  independent). Fields beside the form hold for its operands.
- ``{python: "module:function"}``, for what no form expresses: called with the matching records, it
  returns an :class:`~semveil.records.Estimate` or None. With ``of: [fields, ...]`` it is called
  with the records of each.

What a field may equal: a value; ``null`` for a missing one; a list of values; a pattern such as
``accuracy_*``; ``{not: [...]}``; ``any``, which lifts what the surroundings demand; or a
choice by another field, ``{by: dataset, mnist: 0.02, else: 0.05}``. Where ``role: bob`` and
``adversary: null`` are selected, ``psr_db``, ``protocol`` and ``target`` are not looked at: nobody
attacks. Where ``image_class`` is not selected, records of single classes are left out. ``for:
NAME`` takes the fields of a case's group.

The fields must leave one number. Seeds are merged: their mean, with an interval over seeds and
images (:func:`semveil.metrics.intervals.hierarchical`).
Of several Eves the strongest counts. ``take`` reduces what else is left: ``max``, ``min``,
``mean``, or ``mean_of_rest`` (all but the largest). Where a claim is judged, the interval of the
best of several numbers is widened for their count (Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd

from semveil.errors import SemveilError, unknown
from semveil.metrics import metric_of
from semveil.records import Estimate
from semveil.report.select import floor, pooled, strongest
from semveil.report.summary import widened

Fields = Mapping[str, Any]
FORMS = ("difference", "ratio", "mean", "python")
TAKES = ("max", "min", "mean", "mean_of_rest")
WORDS = ("take", "for", "of")
# Neither tells two numbers apart: what a number is, and its seed.
_NUMBER = ("value", "ci_low", "ci_high", "n", "seed")
_ATTACK = ("psr_db", "protocol", "target")


def difference(one: Estimate, other: Estimate) -> Estimate:
    """Return the difference of two independent numbers with its interval (Zou and Donner, 2008)."""
    value = one.value - other.value
    down = math.hypot(one.value - one.low, other.high - other.value)
    up = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - down, value + up, min(one.n, other.n))


def ratio(one: Estimate, other: Estimate) -> Estimate:
    """Return the ratio of two independent positive numbers with its interval (on the logarithm)."""
    parts = (one.value, one.low, one.high, other.value, other.low, other.high)
    if min(parts) <= 0:
        raise SemveilError("a ratio needs positive numbers with positive intervals")
    found = difference(*(_each(math.log, number) for number in (one, other)))
    return _each(math.exp, found)


def _each(function: Callable[[float], float], number: Estimate) -> Estimate:
    ends = function(number.value), function(number.low), function(number.high)
    return Estimate(*ends, number.n)


def mean(numbers: Sequence[Estimate]) -> Estimate:
    """Return the mean of independent numbers with its interval."""
    n = len(numbers)
    value = sum(number.value for number in numbers) / n
    down = math.hypot(*(number.value - number.low for number in numbers)) / n
    up = math.hypot(*(number.high - number.value for number in numbers)) / n
    return Estimate(value, value - down, value + up, min(number.n for number in numbers))


def paired(differences: Sequence[float], tests: int = 1) -> Estimate:
    """Return the mean of paired differences with its interval (Student's t); infinite for one.

    As the best of several ``tests``, it has a wider one (Bonferroni).
    """
    from scipy.stats import t

    n = len(differences)
    value = sum(differences) / n
    if n < 2:
        return Estimate(value, -math.inf, math.inf, n)
    spread = math.sqrt(sum((x - value) ** 2 for x in differences) / (n - 1) / n)
    half = float(t.ppf(1 - 0.025 / tests, n - 1)) * spread
    return Estimate(value, value - half, value + half, n)


@dataclass(frozen=True)
class Found:
    """A number, and the fields of the record that it comes from."""

    number: Estimate
    fields: Fields
    seeds: frozenset[int] = frozenset()  # whose mean it is


class Selector:
    """Selects from a frame of records, many times."""

    def __init__(self, table: pd.DataFrame) -> None:
        # A copy has a block per type instead of one per column: rows are taken much faster.
        self.table = table.copy()
        self._masks: dict[tuple[str, str], np.ndarray] = {}
        self._floors: dict[tuple[str, str], float | None] = {}
        self.seeds = frozenset(table["seed"].dropna())

    def rows(self, fields: Fields) -> pd.DataFrame:
        """Return the records that agree with fields."""
        fields = {"image_class": None, **fields}
        wanted = {name: value for name, value in fields.items() if value != "any"}
        if wanted.get("role") == "bob" and wanted.get("adversary", "") is None:
            wanted = {name: value for name, value in wanted.items() if name not in _ATTACK}
        mask = np.ones(len(self.table), dtype=bool)
        for name, value in wanted.items():
            mask &= self._mask(name, value)
        return self.table[mask]

    def _mask(self, name: str, value: Any) -> np.ndarray:
        """Return which records have a value in a field; asked for again and again."""
        key = name, repr(value)
        if key not in self._masks:
            if name in self.table.columns:
                self._masks[key] = _matches(self.table[name], value).to_numpy(dtype=bool)
            elif name.startswith("params."):
                # A parameter that no system has is missing from all.
                absent = pd.Series([None] * len(self.table), dtype=object)
                self._masks[key] = _matches(absent, value).to_numpy(dtype=bool)
            else:
                raise unknown("field", name, self.table.columns)
        return self._masks[key]

    def floor(self, fields: Fields) -> float | None:
        """Return the floor of a record's metric on its data set; None if it is not known."""
        key = str(fields["metric"]), str(fields["dataset"])
        if key not in self._floors:
            self._floors[key] = floor(self.table, key[0], dataset=key[1])
        return self._floors[key]

    def distinct(self, rows: pd.DataFrame, names: Sequence[str]) -> list[Fields]:
        """Return the combinations of fields that occur, in order; a missing value is None."""
        absent = [name for name in names if name not in rows.columns]
        part = rows[[name for name in names if name not in absent]].drop_duplicates()
        combined = [
            {name: None if pd.isna(value) else value for name, value in row.items()}
            for row in part.to_dict("records")
        ]
        return [{name: row.get(str(name)) for name in names} for row in combined]


def _matches(column: pd.Series, wanted: Any) -> pd.Series:
    if isinstance(wanted, Mapping):
        return ~_matches(column, wanted["not"])
    if isinstance(wanted, list | tuple):
        found = column.isin([value for value in wanted if value is not None])
        return found | column.isna() if None in wanted else found
    if isinstance(wanted, str) and "*" in wanted:
        return column.map(lambda value: isinstance(value, str) and fnmatchcase(value, wanted))
    return column.isna() if wanted is None else column == wanted


@dataclass(frozen=True)
class Scope:
    """Where values are looked up."""

    selector: Selector
    values: Mapping[str, Any] = field(default_factory=dict)
    fields: Fields = field(default_factory=dict)
    groups: Mapping[str, Fields] = field(default_factory=dict)
    # How many numbers a verdict is the best of, besides the choice within each; None for a table.
    tests: int | None = None
    # Collects the numbers of records that are found.
    seen: list[Found] | None = None

    def within(self, fields: Fields) -> Scope:
        """Return the scope in which more fields are demanded; choices are made, groups taken."""
        merged = {**self.fields, **self.groups.get(fields.get("for", ""), {})}
        merged |= {name: value for name, value in fields.items() if name != "for"}
        chosen = {name: choose(value, merged) for name, value in merged.items()}
        return replace(self, fields=chosen)

    def number(self, value: Any) -> Estimate | None:
        """Return a value's number; None if it was not measured."""
        found = self.find(value)
        return None if found is None else found.number

    def find(self, value: Any) -> Found | None:
        """Return a value's number with the fields of its record; None if it was not measured."""
        value = choose(value, self.fields)
        if value is None:
            return None
        if isinstance(value, int | float):
            return Found(Estimate(value, value, value, 1), self.fields)
        if isinstance(value, str):
            if value not in self.values:
                raise unknown("value", value, self.values)
            return self.find(self.values[value])
        form = next((name for name in FORMS if name in value), None)
        fields = {name: each for name, each in value.items() if name not in (*FORMS, "take", "of")}
        scope = self.within(fields)
        if form is None:
            one = single(scope.selector.rows(scope.fields), value.get("take"), self.tests)
            if one and self.seen is not None:
                self.seen.append(one)
            return one
        made = scope._made(form, value)
        return None if made is None else Found(made, scope.fields)

    def _made(self, form: str, value: Fields) -> Estimate | None:
        if form == "python":
            scopes = [self.within(fields) for fields in value.get("of", [{}])]
            tables = [self.selector.rows(scope.fields) for scope in scopes]
            made, tests = function(value[form]), self.tests or 1
            found: Estimate | None
            if "tests" in signature(made).parameters:
                return made(*tables, tests=tests)
            found = made(*tables)
            return found and widened(found, tests)
        numbers = [self.number(each) for each in value[form]]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            return None
        if form == "mean":
            return mean(known)
        return difference(*known) if form == "difference" else ratio(*known)


def choose(value: Any, fields: Fields) -> Any:
    """Make a choice by another field, ``{by: FIELD, VALUE: ..., else: ...}``; choices may nest."""
    if not isinstance(value, Mapping) or "by" not in value:
        return value
    key = fields.get(value["by"])
    if key not in value and "else" not in value:
        raise SemveilError(f"no choice by {value['by']} for {key}: add it, or else")
    return choose(value[key] if key in value else value["else"], fields)


def single(rows: pd.DataFrame, take: str | None = None, tests: int | None = None) -> Found | None:
    """Return the one number that records hold, seeds merged; None if they hold none.

    With ``tests``, the interval of the best of several is widened for them and for so many more.
    """
    rows = rows[rows["value"].notna()]
    if rows.empty:
        return None
    names = [name for name in rows.columns if name not in _NUMBER]
    among = 1
    if (rows["role"] == "eve").all():
        among = max(rows["adversary"].nunique(), 1)
        rows = strongest(rows)
        names.remove("adversary")
    apart = [name for name in names if rows[name].nunique(dropna=False) > 1]
    if not apart:
        return _corrected(_over_seeds(rows), tests and tests * among)
    if take is None:
        raise SemveilError(
            f"several numbers where one is wanted: they differ in {', '.join(apart)}"
        )
    parts = rows.groupby(apart, dropna=False, sort=False)
    found = [_over_seeds(part) for _, part in parts]
    best = (min if take == "min" else max)(found, key=lambda each: each.number.value)
    if take in ("min", "max"):
        return _corrected(best, tests and tests * among * len(found))
    rest = [each.number for each in found if take == "mean" or each is not best]
    return Found(mean(rest), {}) if rest else None


def _corrected(found: Found, tests: int | None) -> Found:
    if tests is None:
        return found
    number = widened(found.number, tests)
    least, greatest = metric_of(found.fields["metric"]).bounds
    ends = max(number.low, min(least, number.value)), min(number.high, max(greatest, number.value))
    return replace(found, number=Estimate(number.value, *ends, number.n))


def _over_seeds(rows: pd.DataFrame) -> Found:
    fields = {str(name): value for name, value in rows.iloc[0].items()}
    return Found(pooled(rows), fields, frozenset(rows["seed"]))


def function(name: str) -> Callable[..., Any]:
    """Return a function by its name, ``"module:function"``."""
    module, _, attribute = name.partition(":")
    try:
        found = getattr(import_module(module), attribute, None)
    except ModuleNotFoundError:
        found = None
    if not callable(found):
        raise SemveilError(f"there is no function {name}: write module:function")
    return found


def check_fields(fields: Iterable[str], known: Iterable[str]) -> None:
    """Check that names are fields of a record."""
    names = [*known, "system", "params"]
    for name in fields:
        if name not in names and not name.startswith("params."):
            raise unknown("field", name, names)
