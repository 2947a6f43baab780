"""The page of a paper: ``page.md.j2``, a Jinja2 template, filled from records.

The template calls these functions. ``where`` is a mapping of fields, as in
:mod:`semveil.papers.values`; what selects nothing is left out or a dash.

- ``table(rows, columns, where={})``: a Markdown table. ``rows`` are axes as the cases of a claim;
  a column is a value with ``head`` and ``show``, a ``text``, or a ``field`` of the record that its
  fields select; one with ``each``, an axis, stands
  for several, and its head may name the axis: ``{"each": {"psr_db": "all"}, "head": "{psr_db} dB",
  "metric": "accuracy", "show": "percent"}``.
- ``figure(file, function, alt, where={}, **options)``: draws the records with a function of
  :mod:`semveil.report.figures` (``"curves.against_snr"``) or any other (``"module:function"``), and
  places the image; ``where`` may be a list, of which each adds records.
- ``claims()``: a table of how often each claim was confirmed, then claim by claim.
- ``facts()``: what was measured: data sets, SNRs, images, seeds. ``sanity_checks()``: the orderings
  that every evaluation of attacks must keep. ``convergence()``: how many fresh Eves had epochs
  enough; ``claims()`` says it too.
- ``number(where)``: one number, for the text, to be written with the filters of
  :data:`semveil.papers.words.FORMATS`; ``values(field, where={})``: the values that occur;
  ``measured(where)``: whether there are such records;
- ``floor(metric, where)``: what is reached without the signal, with its unit: chance.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

from semveil.errors import SemveilError
from semveil.metrics import metric_of
from semveil.papers import words
from semveil.papers.cases import cases
from semveil.papers.claims import Finding, Judged, Verdict, check_value
from semveil.papers.strength import Strength
from semveil.papers.values import Scope, Selector, choose, function
from semveil.papers.words import ABSENT, FORMATS, head, markdown_table, named, signed
from semveil.records import Estimate
from semveil.report.select import floor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SEVERAL_CASES = (
    "Every case is judged by itself. Where the truth lies exactly at the limit of a claim, chance "
    "decides one case in twenty; no correction is made "
    "for the number of cases."
)
_LINKS = (
    "Claims about trained links are judged only where these come within two points of accuracy, or "
    "half a decibel of PSNR, of the published level. Where none is published, nothing is asked of "
    "the link, and a verdict holds for links of this strength alone."
)
SHARED = Path(__file__).parent / "shared"


@dataclass(frozen=True)
class Page:
    """A page, Markdown, and what draws its figures, by file name."""

    text: str
    figures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)


def render(
    path: Path,
    table: pd.DataFrame,
    judged: Sequence[Judged] = (),
    values: Mapping[str, Any] | None = None,
) -> Page:
    """Fill a template from records."""
    filler = _Filler(table, judged, values or {})
    environment = Environment(
        loader=FileSystemLoader([path.parent, SHARED]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= filler.functions
    environment.filters |= {name: partial(_written, name) for name in FORMATS}
    environment.filters |= {"signed": signed}
    try:
        text = environment.get_template(path.name).render()
    except UnicodeDecodeError as error:
        raise SemveilError(f"cannot read {path}: {error}") from error
    except (TemplateError, SemveilError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        line = getattr(error, "lineno", None) or (lines[-1] if lines else None)
        raise SemveilError(f"{path}{f', line {line}' if line else ''}: {error}") from error
    return Page(_squeezed(text), filler.figures)


def _written(name: str, number: Estimate | None) -> str:
    return ABSENT if number is None else FORMATS[name](number)


def _squeezed(text: str) -> str:
    """Leave at most one empty line, wherever a part of a page was left out."""
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip() + "\n"


class _Filler:
    """What a template calls."""

    def __init__(
        self, table: pd.DataFrame, judged: Sequence[Judged], named_values: Mapping[str, Any]
    ) -> None:
        self.records, self.judged = table, judged
        self.selector = Selector(table)
        self.scope = Scope(self.selector, named_values)
        self.figures: dict[str, Callable[[], Figure]] = {}

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        names = ("table", "figure", "claims", "facts", "sanity_checks", "convergence")
        found = (*names, "number", "values", "measured", "floor")
        return {name: getattr(self, name) for name in found}

    def table(
        self,
        rows: Mapping[str, Any],
        columns: Sequence[Mapping[str, Any]],
        where: Mapping[str, Any] | None = None,
    ) -> str:
        scope = replace(self.scope, fields=where or {})
        down = cases(self.selector, where or {}, rows)
        across = [each for column in columns for each in self._columns(column, where or {})]
        cells = [[self._cell(scope, row.fields, column) for column in across] for row in down]
        shown = [at for at in range(len(across)) if any(line[at] for line in cells)]
        lines = [
            [*row.words, *(line[at] or ABSENT for at in shown)]
            for row, line in zip(down, cells, strict=True)
            if any(line)
        ]
        return markdown_table([*map(head, rows), *(across[at]["head"] for at in shown)], lines)

    def _columns(self, column: Mapping[str, Any], where: Mapping[str, Any]) -> list[dict[str, Any]]:
        plain = {name: each for name, each in column.items() if name != "each"}
        check_value(plain, ("head", "show", "text", "field", "value", "as"))
        found = []
        for case in cases(self.selector, {**where, **_settled(plain)}, column.get("each", {})):
            texts = {name: named(name, value) for name, value in case.fields.items()}
            short = {name.removeprefix("params."): text for name, text in texts.items()}
            title = str(column.get("head", " ".join(texts.values()))).format_map(short)
            found.append({**case.fields, **plain, "head": title})
        return found

    def _cell(self, scope: Scope, row: Mapping[str, Any], column: Mapping[str, Any]) -> str | None:
        inside = scope.within(row)
        if "text" in column:
            return str(choose(column["text"], inside.fields))
        own = {n: v for n, v in column.items() if n not in ("head", "show", "field", "value", "as")}
        if "field" in column:
            found = inside.find(own)
            return None if found is None else named(column["field"], found.fields[column["field"]])
        if "value" in column:
            inside = inside.within(own)
            own = choose(column["value"], inside.fields)
        number = inside.number(own)
        return None if number is None else FORMATS[column.get("show", "number")](number)

    def figure(
        self,
        file: str,
        name: str,
        alt: str,
        where: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        **options: Any,
    ) -> str:
        several = [where or {}] if isinstance(where, Mapping | None) else where
        # Records of single classes too: their sizes are chance where none was recorded.
        rows = pd.concat([self.selector.rows({"image_class": "any", **each}) for each in several])
        if rows.empty:
            return ""
        draw = function(name if ":" in name else _in_report(name))
        self.figures[file] = partial(draw, self._with_floors(rows), **options)
        return f"![{alt}]({file})"

    def _with_floors(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Add the records of floors, which every figure draws that has such numbers."""
        floors = {floor for metric in rows["metric"].unique() for floor in metric_of(metric).floors}
        of = self.records[self.records["dataset"].isin(rows["dataset"].unique())]
        found = of[(of["role"] == "system") & of["metric"].isin(floors)]
        return pd.concat([rows, found.drop(index=rows.index, errors="ignore")])

    def claims(self) -> str:
        # Only where some claim has conditions.
        shown = [
            verdict
            for verdict in Verdict
            if verdict is not Verdict.NOT_JUDGED
            or any(
                one.claim.requires or one.claim.links or one.counts[verdict] for one in self.judged
            )
        ]
        lines = [
            [
                f"{at}. {one.claim.claim}",
                *(str(one.counts[each]) if one.measured else ABSENT for each in shown),
            ]
            for at, one in enumerate(self.judged, start=1)
        ]
        links = list({id(link): link for one in self.judged for link in one.links}.values())
        parts = [markdown_table(["claim", *shown], lines), _SEVERAL_CASES, self.convergence()]
        each = [section(at, one) for at, one in enumerate(self.judged, 1)]
        return "\n\n".join([*parts, _about(links), *each])

    def facts(self) -> str:
        return words.facts(self.records)

    def sanity_checks(self) -> str:
        return words.sanity_checks(self.records)

    def convergence(self) -> str:
        return words.convergence(self.records)

    def number(self, where: Mapping[str, Any]) -> Estimate | None:
        return self.scope.number(where)

    def values(self, field: str, where: Mapping[str, Any] | None = None) -> list[Any]:
        found = self.selector.distinct(self.selector.rows(where or {}), [field])
        known = [each[field] for each in found if each[field] is not None]
        return sorted(known) if known and isinstance(known[0], float) else known

    def measured(self, where: Mapping[str, Any]) -> bool:
        return not self.selector.rows(where).empty

    def floor(self, metric: str, where: Mapping[str, Any]) -> str:
        kind, value = metric_of(metric), floor(self.records, metric, **where)
        return ABSENT if value is None else " ".join([kind.format(value), kind.unit]).strip()


def _settled(column: Mapping[str, Any]) -> dict[str, Any]:
    """What a column demands of the records that its axis is taken from."""
    words_of_table = ("head", "show", "text", "field", "value", "as", "take", "for", "of")
    forms = ("difference", "ratio", "mean", "python")
    return {n: v for n, v in column.items() if n not in (*words_of_table, *forms)}


def _in_report(name: str) -> str:
    module, _, drawing = name.partition(".")
    return f"semveil.report.figures.{module}:{drawing}"


def _about(links: Sequence[Strength]) -> str:
    """Return the table of the links that claims rest on, beside their published levels."""
    if not links:
        return ""
    lines = [
        [", ".join([link.name, *link.case.words]), link.measured, link.level, link.source]
        for link in links
    ]
    return f"{_LINKS}\n\n{markdown_table(['link', 'measured', 'published', 'source'], lines)}"


def section(number: int, judged: Judged) -> str:
    """Return a claim as a section of a page."""
    claim = judged.claim
    above = f"### {number}. {claim.claim}\n\n" + " ".join(
        filter(None, [f"({claim.source})", claim.reading.strip()])
    )
    if not judged.measured:
        return f"{above} Not measured."
    axes = [*map(head, claim.cases)]
    across = [
        f"{head(axis).split(',')[0]} {named(axis, value)}{_unit(axis)}"
        for axis in claim.columns
        for value in judged.columns
    ] or ["verdict"]
    every = [finding for row in judged.findings.values() for finding in row if finding]
    reasons = [finding.reason for finding in every if finding.reason]
    shared = [each for each in dict.fromkeys(reasons) if reasons.count(each) > 1]
    lines = [
        [*case, *(_cell(finding, shared) if finding else ABSENT for finding in findings)]
        for case, findings in judged.findings.items()
    ]
    notes = [f"[{at}] Not judged: {reason}." for at, reason in enumerate(shared, start=1)]
    return "\n\n".join([above, markdown_table([*axes, *across], lines), *notes])


def _cell(finding: Finding, shared: Sequence[str]) -> str:
    """Return a finding; a reason that several cases share is written once below the table."""
    if finding.reason not in shared:
        return str(finding)
    return f"**{finding.verdict}** [{shared.index(finding.reason) + 1}]: {finding.words}"


def _unit(axis: str) -> str:
    return " dB" if axis.endswith("_db") else ""
