"""One model of tables, and how it is shown: on the terminal, in Markdown, on the page.

A column says whose figure it is, the metric and its unit; a row says the method; a cell is an
estimate with its 95 % interval. The page shows the same model (``templates/page.html.j2``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.metrics import Metric
from semveil.records import Estimate

if TYPE_CHECKING:
    import rich.table

ABSENT = "–"
WIDEST = 100
_VERDICT_WIDTH = 14
STYLES = {"bad": "red", "mixed": "yellow", "good": "green", "unknown": "dim"}


@dataclass(frozen=True)
class Column:
    """A column."""

    title: str
    group: str = ""
    metric: Metric | None = None  # None for words


@dataclass(frozen=True)
class Cell:
    """A cell: an estimate, or words."""

    estimate: Estimate | None = None
    words: str = ABSENT
    notes: tuple[str, ...] = ()
    tone: str = ""  # a key of STYLES where the words are a verdict


@dataclass(frozen=True)
class Line:
    """A row."""

    name: str
    cells: Sequence[Cell]  # a single one with words where a method does not apply
    note: str = ""
    faint: bool = False  # it is there to be compared with: a control, or the floor


@dataclass(frozen=True)
class Table:
    """A table."""

    name: str
    columns: Sequence[Column]
    groups: Sequence[tuple[str, Sequence[Line]]]
    caption: str = ""

    @property
    def heads(self) -> list[tuple[str, list[Column]]]:
        """The columns in their groups; those without a group are one each."""
        alone = (column.group or at for at, column in enumerate(self.columns))
        parts = groupby(zip(alone, self.columns, strict=True), lambda item: item[0])
        found = [[column for _, column in part] for _, part in parts]
        return [(columns[0].group, columns) for columns in found]


def number(estimate: Estimate, metric: Metric) -> str:
    """Return a value in its metric's unit."""
    return metric.format(estimate.value)


def interval(estimate: Estimate, metric: Metric) -> str:
    """Return the ends of an interval; empty if there is none."""
    if estimate.low == estimate.high:
        return ""
    return f"{metric.format(estimate.low)}–{metric.format(estimate.high)}"


def with_interval(estimate: Estimate, metric: Metric) -> str:
    """Return a value, its unit and its interval in one line."""
    around = interval(estimate, metric)
    value = "\N{NO-BREAK SPACE}".join(filter(None, [number(estimate, metric), metric.unit]))
    return f"{value} ({around})" if around else value


def lines_of(cell: Cell, column: Column) -> list[str]:
    """Return what a terminal shows of a cell: a number, and the wider half of its interval."""
    found, metric = cell.estimate, column.metric
    if found is None or metric is None:
        return wrap(cell.words, _VERDICT_WIDTH, break_long_words=False) or [cell.words]
    half = max(found.high - found.value, found.value - found.low)
    return [number(found, metric), *([f"±{metric.format(half)}"] if half else [])]


def to_rich(table: Table) -> rich.table.Table:
    """Return a table for the terminal, at most 100 columns wide; ± is an interval's half."""
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    first, *others = table.columns
    # Words that are held together by a no-break space stay on one line.
    heads = ["\n".join([*c.group.split(" "), *c.title.split(" ")]).strip() for c in others]
    every = [line for _, lines in table.groups for line in lines if len(line.cells) == len(others)]
    widths = [
        max(
            len(word)
            for word in (
                *head.split("\n"),
                *(shown for line in every for shown in lines_of(line.cells[at], others[at])),
            )
        )
        for at, head in enumerate(heads)
    ]
    names = [len(line.name) for _, lines in table.groups for line in lines]
    names += [len(line.cells[0].words) for _, lines in table.groups for line in lines]
    room = WIDEST - sum(widths) - len(widths)
    whole = Grid.grid()
    for place, (title, lines) in enumerate(table.groups):
        part = Grid(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=0,
            show_header=place == 0,
        )
        part.add_column(first.title, width=max(min(max(names), room), 8))
        for head, width, column in zip(heads, widths, others, strict=True):
            part.add_column(head, width=width, justify="right" if column.metric else "left")
        for line in lines:
            name = Text("\n".join(filter(None, [line.name, line.note])), overflow="fold")
            cells = [
                Text("\n".join(lines_of(cell, column)), style=STYLES.get(cell.tone, ""))
                for cell, column in zip(line.cells, others, strict=False)
            ]
            if len(cells) < len(others):
                name.append(f"\n{line.cells[0].words}")
                cells = []
            part.add_row(name, *cells)
        whole.add_row(Text(title, style="bold"))
        whole.add_row(part)
        whole.add_row("")
    whole.caption = table.caption
    whole.caption_justify = "left"
    return whole


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def signed(value: float) -> str:
    """Return a number in its shortest form, with a true minus sign."""
    return f"{value:g}".replace("-", "−")


def heading(condition: Iterable[tuple[str, Any]]) -> str:
    """Return the circumstances of a group of rows in words."""
    forms = {
        "latent_dim": lambda value: f"d = {value:g}",
        "train_snr_db": lambda value: f"trained at {signed(value)} dB",
        "test_snr_db": lambda value: f"Bob at {signed(value)} dB",
        "seed": lambda value: f"seed {value}",
    }
    words = (forms.get(key, str)(value) for key, value in condition if not pd.isna(value))
    return " · ".join(dict.fromkeys(words))  # a run is often named after its study
