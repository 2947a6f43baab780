"""Claims of papers, judged by the whole intervals of records.

``claims.yaml`` holds ``values`` that all claims share, by name, ``links`` with their published
levels, ``claims``, a list, and ``include``, another such file, relative to this one, whose values
and links come first. A claim has

- ``claim``: what the paper says; ``source``: where it says it (``ours`` if we do);
- ``reading``: how its words were taken, and what the numbers are;
- ``where``: fields that hold for all its records;
- ``cases``: axes whose combinations are judged one by one: a field of records to ``all`` of its
  values that occur, to a list, or to ``{not: [...]}``. A group, ``{of: [fields], where: {...}}``,
  stands for combinations of several fields, which only values with ``for: NAME`` see: pairs of
  systems have two groups. ``columns`` is one more axis, which tables put side by side;
- ``readings``: axes, as ``cases``, of settings that the paper leaves open. A case is judged under
  each and has the best verdict: a claim falls only if no reading confirms it, and only where all
  readings that are listed were measured;
- ``open``: what the paper leaves open that decides the verdict and that no records vary, in words:
  such a claim may be confirmed, but does not fall;
- ``values``: its own named values (see :mod:`semveil.papers.values`);
- ``judge``: one part or several, of which all must hold. A part is a value with one comparison:
  ``at_least``, ``at_most``, ``above``, ``below`` (never reached), ``within: [low, high]``,
  ``equals`` (refuted if they lie apart, else undecided: no interval proves equality),
  ``increasing: [values]``, ``decreasing: [values]``. What is compared with is a number, a choice,
  or a value with an interval of its own;
- ``requires``: parts like those of ``judge`` without which the claim cannot be judged, such as an
  adversary who succeeds by so much on the unprotected link: unless all are confirmed, the case is
  *not judged*. ``else`` says why, in words;
- ``links``: the trained links that it rests on, by their names in the file's ``links``: where one
  is weaker than published (:mod:`semveil.papers.strength`), the case is *not judged*;
- ``beside``: parts without a comparison, shown next to the verdict.

``show`` names how a part is printed (:data:`semveil.papers.words.FORMATS`) and ``as`` what is put
before it; it may name fields of the record in braces, such as ``{image_class:g}``. A part holds
(*confirmed*) if the whole interval lies beyond what is compared with, fails (*refuted*) if it lies
short of it, and is *undecided* across it. A part that compares attacks with each other is *not
judged* where all of them leave Bob at chance: at such a budget nothing can be ranked. A case in
which a part was not measured has no verdict; a claim without any says so. A number that is the best
of several, such as the strongest Eve's, has
its interval widened for their count (Bonferroni); a claim that a reading confirms must stand as
the best of all readings as well. Of several readings with the same verdict the one with the largest
margin is shown. Numbers of unequal seeds are compared over those that they share, and where these
are not all, the finding says how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from semveil.errors import SemveilError, unknown
from semveil.metrics import metric_of
from semveil.papers.cases import Case, cases
from semveil.papers.files import read
from semveil.papers.strength import Level, Strength, strengths
from semveil.papers.values import (
    FORMS,
    TAKES,
    WORDS,
    Fields,
    Found,
    Scope,
    Selector,
    check_fields,
    choose,
)
from semveil.papers.words import FORMATS, head, named
from semveil.records import FIELDS, Estimate

COMPARISONS = ("at_least", "at_most", "above", "below", "within", "equals")
ORDERS = ("increasing", "decreasing")


class Verdict(StrEnum):
    """What the intervals say of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    NOT_JUDGED = "not judged"


def at_least(found: Estimate, least: Estimate) -> Verdict:
    """Judge that a number is at least another, by the whole intervals."""
    if found.low >= least.high:
        return Verdict.CONFIRMED
    return Verdict.REFUTED if found.high < least.low else Verdict.UNDECIDED


def above(found: Estimate, least: Estimate) -> Verdict:
    """Judge that a number is larger than another: intervals that touch decide nothing."""
    if found.low > least.high:
        return Verdict.CONFIRMED
    return Verdict.REFUTED if found.high < least.low else Verdict.UNDECIDED


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Judge a claim of several parts: it falls with any, and stands with all."""
    found = set(verdicts)
    if Verdict.REFUTED in found:
        return Verdict.REFUTED
    return Verdict.UNDECIDED if Verdict.UNDECIDED in found else Verdict.CONFIRMED


def _negative(found: Estimate) -> Estimate:
    return Estimate(-found.value, -found.high, -found.low, found.n)


def compare(comparison: str, found: Estimate, *others: Estimate) -> Verdict:
    """Judge one comparison; ``within`` has the two ends of a range."""
    if comparison == "within":
        low, high = others
        return all_of([at_least(found, low), compare("at_most", found, high)])
    if comparison == "equals":
        overlap = found.low <= others[0].high and others[0].low <= found.high
        return Verdict.UNDECIDED if overlap else Verdict.REFUTED
    if comparison in ("at_most", "below"):
        judge = at_least if comparison == "at_most" else above
        return judge(_negative(found), _negative(others[0]))
    return (at_least if comparison == "at_least" else above)(found, others[0])


def margin(comparison: str, found: Estimate, *others: Estimate) -> float:
    """Return by how much a number exceeds what a comparison asks for; below zero if it misses."""
    gaps = [found.value - other.value for other in others]
    if comparison == "within":
        return min(gaps[0], -gaps[1])
    if comparison == "equals":
        return -abs(gaps[0])
    return gaps[0] if comparison in ("at_least", "above") else -gaps[0]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Claim(_Spec):
    """One claim of ``claims.yaml``; see the module."""

    claim: str
    source: str
    reading: str = ""
    where: dict[str, Any] = Field(default_factory=dict)
    cases: dict[str, Any] = Field(default_factory=dict)
    columns: dict[str, Any] = Field(default_factory=dict)
    readings: dict[str, Any] = Field(default_factory=dict)
    open: str = ""
    values: dict[str, Any] = Field(default_factory=dict)
    judge: list[dict[str, Any]] = Field(min_length=1)
    requires: list[dict[str, Any]] = Field(default_factory=list)
    links: list[str] = Field(default_factory=list)
    beside: list[dict[str, Any]] = Field(default_factory=list)

    @model_validator(mode="after")
    def _checked(self) -> Claim:
        check_fields(self.where, FIELDS)
        for axes in (self.cases, self.columns, self.readings):
            for name, axis in axes.items():
                group = isinstance(axis, Mapping) and "of" in axis
                check_fields([*axis["of"], *axis.get("where", {})] if group else [name], FIELDS)
        if len(self.columns) > 1:
            raise ValueError("columns: only one axis can go there")
        for value in self.values.values():
            check_value(value)
        for part in (*self.judge, *self.requires):
            found = [name for name in (*COMPARISONS, *ORDERS) if name in part]
            if len(found) != 1:
                raise ValueError(
                    "judge, requires: each part needs one comparison of "
                    f"{', '.join(COMPARISONS + ORDERS)}"
                )
            own = ("else",) if part in self.requires else ()
            check_value(part, (*COMPARISONS, *ORDERS, "value", "show", "as", *own))
        if not all(isinstance(part.get("else"), str) for part in self.requires):
            raise ValueError("requires: each part says in `else` why the claim is not judged")
        for part in self.beside:
            check_value(part, ("value", "show", "as"))
        return self


class Claims(_Spec):
    """The content of ``claims.yaml``."""

    include: str | None = None
    values: dict[str, Any] = Field(default_factory=dict)
    links: dict[str, Level] = Field(default_factory=dict)
    claims: list[Claim] = Field(default_factory=list)

    @model_validator(mode="after")
    def _checked(self) -> Claims:
        for value in (*self.values.values(), *(link.value for link in self.links.values())):
            check_value(value)
        if self.include is None:
            for name in (name for claim in self.claims for name in claim.links):
                if name not in self.links:
                    raise unknown("link", name, self.links)
        return self


def load(path: Path) -> Claims:
    """Read a ``claims.yaml`` with what it includes."""
    claims = read(path, Claims)
    if claims.include is None:
        return claims
    other = load(path.parent / claims.include)
    parts = claims.model_dump(exclude={"include"})
    for part in ("values", "links"):
        parts[part] = {**other.model_dump()[part], **parts[part]}
    try:
        return Claims.model_validate(parts)
    except SemveilError as error:
        raise SemveilError(f"{path}: {error}") from error


def check_value(value: Any, more: Sequence[str] = ()) -> None:
    """Check the words of a value (see :mod:`semveil.papers.values`)."""
    if value is None or isinstance(value, str | int | float):
        return
    if isinstance(value, Mapping) and "by" in value:
        for key, choice in value.items():
            if key != "by":
                check_value(choice)
        return
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no value: give a number, a name or fields of records")
    check_fields((name for name in value if name not in (*FORMS, *WORDS, *more)), FIELDS)
    if value.get("take", "max") not in TAKES:
        raise ValueError(f"take: {value['take']} is none of {', '.join(TAKES)}")
    if value.get("show", "number") not in FORMATS:
        raise ValueError(f"show: {value['show']} is none of {', '.join(FORMATS)}")
    for form in ("difference", "ratio", "mean"):
        operands = value.get(form, [0, 0])
        if not isinstance(operands, list) or (form != "mean" and len(operands) != 2):
            raise ValueError(f"{form}: give a list of two values")
        for operand in operands:
            check_value(operand)


@dataclass(frozen=True)
class Finding:
    """A verdict and the numbers behind it, in words."""

    verdict: Verdict
    words: str
    reason: str = ""  # why it is not judged
    margin: float = 0.0  # the least of its parts

    def __str__(self) -> str:
        return f"**{self.verdict}**: {'; '.join(filter(None, [self.reason, self.words]))}"


@dataclass(frozen=True)
class Judged:
    """A claim and what records say of it."""

    claim: Claim
    columns: Sequence[Any]  # values of the axis that goes across
    findings: Mapping[tuple[str, ...], Sequence[Finding | None]]  # by case, one per column
    links: Sequence[Strength] = ()  # that it rests on

    @property
    def counts(self) -> dict[str, int]:
        """How often each verdict was found."""
        every = [finding for row in self.findings.values() for finding in row if finding]
        return {v.value: sum(finding.verdict is v for finding in every) for v in Verdict}

    @property
    def measured(self) -> bool:
        """Whether any case was."""
        return bool(self.findings)


def judge(
    claim: Claim,
    selector: Selector,
    shared: Mapping[str, Any] | None = None,
    links: Sequence[Strength] = (),
) -> Judged:
    """Judge a claim in all its cases; those without any finding are left out."""
    values = {**(shared or {}), **claim.values}
    rows = cases(selector, claim.where, claim.cases)
    across = cases(selector, {**claim.where, **_lists(claim.cases)}, claim.columns)
    findings = {}
    for row in rows:
        scope = Scope(selector, values, {}, row.groups, tests=1)
        found = [_best(claim, scope, {**row.fields, **each.fields}, links) for each in across]
        if any(found):
            findings[row.words] = found
    seen = [i for i in range(len(across)) if any(found[i] for found in findings.values())]
    return Judged(
        claim,
        [across[i].fields[axis] for axis in claim.columns for i in seen],
        {words: [found[i] for i in seen] for words, found in findings.items()},
        links,
    )


def _lists(axes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: axis for name, axis in axes.items() if isinstance(axis, list)}


def _best(claim: Claim, scope: Scope, case: Fields, links: Sequence[Strength]) -> Finding | None:
    """Return the finding under the reading that favours a claim most."""
    found = _read(claim, scope, case)
    weak = next((link for link in links if link.weak and link.of({**claim.where, **case})), None)
    if found and weak:
        return Finding(Verdict.NOT_JUDGED, found.words, weak.words)
    if found and found.verdict is Verdict.REFUTED and claim.open:
        return Finding(Verdict.UNDECIDED, f"{found.words}; not varied: {claim.open}")
    return found


def _read(claim: Claim, scope: Scope, case: Fields) -> Finding | None:
    if not claim.readings:
        return _finding(claim, scope, case)
    readings = cases(scope.selector, {**claim.where, **case}, claim.readings)
    found = [(each, _finding(claim, scope, {**case, **each.fields})) for each in readings]
    measured = [(each, finding) for each, finding in found if finding]
    if not measured:
        return None
    order = [Verdict.CONFIRMED, Verdict.UNDECIDED, Verdict.NOT_JUDGED, Verdict.REFUTED]
    reading, best = min(measured, key=lambda pair: (order.index(pair[1].verdict), -pair[1].margin))
    if best.verdict is Verdict.CONFIRMED:
        reading, best = _best_of(measured, claim, scope, case)
    words = f"{best.words} ({_reading(reading)})"
    missing = len(found) - len(measured)
    if best.verdict is Verdict.REFUTED and missing:
        return Finding(
            Verdict.UNDECIDED, f"{words}; {missing} of {len(found)} readings not measured"
        )
    return Finding(best.verdict, words, best.reason)


def _best_of(
    measured: Sequence[tuple[Case, Finding]], claim: Claim, scope: Scope, case: Fields
) -> tuple[Case, Finding]:
    """Return a reading that confirms a claim as the best of all, or one that no longer does."""
    wider = replace(scope, tests=len(measured))
    again = [
        (each, found)
        for each, finding in measured
        if finding.verdict is Verdict.CONFIRMED
        and (found := _finding(claim, wider, {**case, **each.fields}))
    ]
    return next((pair for pair in again if pair[1].verdict is Verdict.CONFIRMED), again[0])


def _reading(case: Case) -> str:
    return ", ".join(f"{head(n)} {named(n, value)}" for n, value in case.fields.items())


def _finding(claim: Claim, scope: Scope, case: Fields) -> Finding | None:
    scope = scope.within({**claim.where, **case})
    seen: list[Found] = []
    parts = _parts(claim.judge, replace(scope, seen=seen))
    sets = {found.seeds for found in seen if found.seeds}
    common = frozenset.intersection(*sets) if sets else frozenset()
    if parts and len(sets) > 1 and common:
        # Seeds share images and judges: only the same ones can be compared.
        scope = scope.within({"seed": sorted(common)})
        parts = _parts(claim.judge, scope)
    if parts is None:
        return None
    verdicts, words, margins, saturated = parts
    found = [(part, scope.find(_value(part))) for part in claim.beside]
    beside = [_words(part, each) for part, each in found if each is not None]
    there = scope.selector.seeds
    few = [f"{len(common)} of {len(there)} seeds"] if 0 < len(common) < len(there) else []
    shown = "; ".join([", ".join(words), *beside, *few])
    reason = _unmet(claim, scope) or saturated
    verdict = Verdict.NOT_JUDGED if reason else all_of(verdicts)
    return Finding(verdict, shown, reason, min(margins))


def _parts(
    judge: Sequence[Mapping[str, Any]], scope: Scope
) -> tuple[list[Verdict], list[str], list[float], str] | None:
    """Return verdicts, words and margins of all parts, and whether one is saturated."""
    verdicts, words, margins, saturated = [], [], [], ""
    for part in judge:
        seen: list[Found] = []
        judged = _judged(part, replace(scope, seen=seen))
        if scope.seen is not None:
            scope.seen.extend(seen)
        if judged is None:
            return None
        verdicts.append(judged[0])
        words += judged[1]
        margins.append(judged[2])
        saturated = saturated or _saturated(seen, scope.selector)
    return verdicts, words, margins, saturated


def _unmet(claim: Claim, scope: Scope) -> str:
    """Return why a claim cannot be judged by its ``requires``; nothing if it can."""
    for part in claim.requires:
        plain = {name: each for name, each in part.items() if name != "else"}
        judged = _judged(plain, scope)
        if judged is None or judged[0] is not Verdict.CONFIRMED:
            return ": ".join([part["else"], *(judged[1] if judged else ["not measured"])])
    return ""


def _saturated(seen: Sequence[Found], selector: Selector) -> str:
    """Return that the attacks which a part compares all leave Bob at chance; nothing otherwise."""
    attacked = [found for found in seen if found.fields.get("role") == "bob" and _psr(found)]
    floors = [selector.floor(found.fields) for found in attacked]
    if len(attacked) < 2 or any(
        floor is None or found.number.low > floor
        for found, floor in zip(attacked, floors, strict=True)
    ):
        return ""
    kind = metric_of(attacked[0].fields["metric"])
    left = " and ".join(f"{kind.format(found.number.value)} {kind.unit}" for found in attacked)
    return (
        f"the budget saturates: Bob is left {left}, all at {kind.floor_title} "
        f"({kind.format(floors[0] or 0.0)} {kind.unit})"
    )


def _psr(found: Found) -> bool:
    """Tell whether a number is one under an attack of a stated budget."""
    return not pd.isna(found.fields.get("psr_db")) and not pd.isna(found.fields.get("adversary"))


def _judged(part: Mapping[str, Any], scope: Scope) -> tuple[Verdict, list[str], float] | None:
    """Return the verdict on a part, its words and its margin; None if it was not measured."""
    order = next((name for name in ORDERS if name in part), None)
    fields = {n: v for n, v in part.items() if n not in (*ORDERS, *COMPARISONS)}
    if order:
        inside = scope.within(_selection(fields))
        numbers = [inside.number(value) for value in part[order]]
        known = [number for number in numbers if number is not None]
        if len(known) < len(numbers):
            return None
        steps = known if order == "increasing" else known[::-1]
        verdict = all_of(above(more, less) for less, more in pairwise(steps))
        show = FORMATS[part.get("show", "number")]
        least = min(more.value - less.value for less, more in pairwise(steps))
        return verdict, [", ".join(map(show, known))], least
    found = scope.find(_value(fields))
    (comparison,) = (name for name in COMPARISONS if name in part)
    against = choose(part[comparison], scope.fields)
    others = [scope.number(each) for each in (against if isinstance(against, list) else [against])]
    if found is None or None in others:
        return None
    limits = [other for other in others if other]
    verdict = compare(comparison, found.number, *limits)
    return verdict, [_words(fields, found)], margin(comparison, found.number, *limits)


def _selection(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in part.items() if name not in ("show", "as", "value")}


def _value(part: Mapping[str, Any]) -> Any:
    return part["value"] if "value" in part else _selection(part)


def _words(part: Mapping[str, Any], found: Found) -> str:
    """Return a part's number in words."""
    text = FORMATS[part.get("show", "number")](found.number)
    label = str(part.get("as", "")).format_map(found.fields)
    return f"{label} {text}".strip()


def verdicts(claims: Claims, table: pd.DataFrame) -> list[Judged]:
    """Judge all claims of a paper by a frame of records."""
    selector = Selector(table)
    known = {name: strengths(name, link, selector) for name, link in claims.links.items()}
    return [
        judge(claim, selector, claims.values, [one for name in claim.links for one in known[name]])
        for claim in claims.claims
    ]
