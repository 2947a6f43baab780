"""The summary table, for the terminal and for the page: the same rows in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pandas as pd

from semveil.records import Record
from semveil.report.markup import tag, text
from semveil.report.select import frame
from semveil.report.summary import Measure, Row, Verdict, rows, signed

if TYPE_CHECKING:
    from rich.table import Table

ABSENT = "–"
TONES = {
    Verdict.NONE: "bad",
    Verdict.LEAK: "mixed",
    Verdict.PARTIAL: "mixed",
    Verdict.CHANCE: "good",
    Verdict.BROKEN: "mixed",
    Verdict.UNTESTED: "unknown",
}
COLUMNS = {
    "System": 28,
    "Asymmetry": 9,
    "Bob\n%": 5,
    "Bob\ndB": 5,
    "Eve %\npaper": 5,
    "Eve %\nfresh": 5,
    "Eve dB\nfresh": 6,
    "Guess\n%, dB": 6,
    "Verdict": 21,
}
STYLES = {"bad": "red", "mixed": "yellow", "good": "green", "unknown": "dim"}


def percent(share: float) -> str:
    """Return a share in percent.

    Example:
        >>> percent(0.9567)
        '95.7'
    """
    return f"{100 * share:.1f}"


def decibels(value: float) -> str:
    """Return a level in dB, to the hundredth, with a true minus sign.

    Example:
        >>> decibels(-3.0)
        '−3.00'
    """
    return f"{value:.2f}".replace("-", "−")


def heading(condition: Iterable[tuple[str, Any]]) -> str:
    """Return the circumstances of a group of rows in words.

    Args:
        condition: Pairs of a record's field and its value.

    Returns:
        One line, without what is missing.

    Example:
        >>> heading([("dataset", "digits"), ("latent_dim", 16.0), ("train_snr_db", 10.0)])
        'digits · d = 16 · trained at 10 dB'
    """
    forms = {
        "latent_dim": lambda value: f"d = {value:g}",
        "train_snr_db": lambda value: f"trained at {signed(value)} dB",
        "test_snr_db": lambda value: f"SNR {signed(value)} dB",
        "seed": lambda value: f"seed {value}",
    }
    words = (forms.get(key, str)(value) for key, value in condition if not pd.isna(value))
    return " · ".join(dict.fromkeys(words))  # a run is often named after its study


def summary_table(records: Iterable[Record]) -> Table:
    """Return the summary of a run for the terminal, at most 100 columns wide.

    Each system takes two lines: the values, and below them the wider half of their 95 % intervals;
    below the accuracy of guessing stands the PSNR of the mean image.

    Args:
        records: Records of one or more runs.

    Returns:
        The table, ready to be printed by rich.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    whole = Table.grid()
    for number, (condition, group) in enumerate(grouped(rows(frame(records)))):
        part = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=0,
            show_header=number == 0,
        )
        for name, width in COLUMNS.items():
            part.add_column(name, width=width, justify="right" if "\n" in name else "left")
        for row in group:
            verdict = Text("label: " if row.target == "label" else "guess: ")
            verdict.append(row.label.value, style=STYLES[TONES[row.label]])
            verdict.append("\nimage: ")
            verdict.append(row.image.value, style=STYLES[TONES[row.image]])
            psr = "" if row.psr_db is None else f"\nPSR {signed(row.psr_db)} dB"
            place = f"\n{row.place}" if row.place else ""
            floor_db = ABSENT if row.floor_db is None else decibels(row.floor_db)
            part.add_row(
                Text(row.system + psr + place, overflow="fold"),
                Text(row.asymmetry or ABSENT),
                lines_of(row.bob_accuracy, share=True),
                lines_of(row.bob_psnr),
                lines_of(row.eve_paper, share=True),
                lines_of(row.eve_fresh, share=True),
                lines_of(row.eve_psnr),
                (ABSENT if row.chance is None else percent(row.chance)) + "\n" + floor_db,
                verdict,
            )
        whole.add_row(Text(heading(condition), style="bold"))
        whole.add_row(part)
        whole.add_row("")
    whole.caption = (
        "%: accuracy, dB: PSNR, ± 95 %. Eve hears at Bob's SNR; guessing an image: the mean image."
    )
    whole.caption_justify = "left"
    return whole


def html_table(found: Iterable[Row]) -> str:
    """Return the same rows as an HTML table, with the exact ends of every interval.

    Args:
        found: Rows (see `semveil.report.summary.rows`).

    Returns:
        A ``<table>`` element.
    """
    heads = tag(
        "thead",
        tag(
            "tr",
            head("System", rowspan="2"),
            head("Protected by", rowspan="2", class_="word"),
            head("Bob", colspan="2", scope="colgroup"),
            head("Paper’s Eve", scope="colgroup"),
            head("Fresh Eve, strongest", colspan="2", scope="colgroup"),
            head("Guessing", scope="colgroup"),
            head("Verdict", colspan="2", scope="colgroup", class_="word"),
        ),
        tag(
            "tr",
            *(head(name) for name in ("accuracy, %", "PSNR, dB", "accuracy, %")),
            *(head(name) for name in ("accuracy, %", "PSNR, dB", "% and dB")),
            *(head(name, class_="word") for name in ("label", "image")),
        ),
    )
    bodies = []
    for condition, group in grouped(found):
        stay = tag("span", text(heading(condition)), class_="stay")
        title = tag("th", stay, scope="rowgroup", colspan="10")
        bodies.append(
            tag("tbody", tag("tr", title, class_="group"), *(_html_row(row) for row in group))
        )
    words = (
        "Both at Bob’s SNR. Small figures: 95 % intervals, the strongest Eve’s architecture, and "
        "the PSNR of the mean image below chance."
    )
    caption = tag("caption", tag("span", words, class_="stay"))
    return tag("table", caption, heads, *bodies, class_="summary")


def grouped(found: Iterable[Row]) -> Iterator[tuple[tuple[tuple[str, Any], ...], list[Row]]]:
    """Yield each condition with its rows."""
    # By its words, since a missing value (NaN) would not equal itself.
    for _, group in groupby(found, key=lambda row: str(row.condition)):
        members = list(group)
        yield members[0].condition, members


def lines_of(measure: Measure | None, *, share: bool = False) -> str:
    r"""Return a number and, on a second line, the wider half of its interval.

    Example:
        >>> lines_of(Measure(0.5, 0.48, 0.53, 900), share=True)
        '50.0\n±3.0'
    """
    if measure is None:
        return ABSENT
    form = percent if share else decibels
    half = max(measure.high - measure.value, measure.value - measure.low)
    return form(measure.value) + ("" if measure.exact else f"\n±{form(half)}")


def head(name: str, **attributes: str) -> str:
    """Return a column's head."""
    return tag("th", text(name), **{"scope": "col", **attributes})


def _html_row(row: Row) -> str:
    cells = [
        tag("th", text(row.name), tag("small", row.place) if row.place else "", scope="row"),
        tag("td", text(row.asymmetry or ABSENT), class_="word"),
        cell(row.bob_accuracy, share=True),
        cell(row.bob_psnr),
        cell(row.eve_paper, share=True),
        cell(row.eve_fresh, share=True),
        cell(row.eve_psnr),
        tag(
            "td",
            ABSENT if row.chance is None else percent(row.chance),
            "" if row.floor_db is None else tag("small", decibels(row.floor_db)),
        ),
        _badge(row.label, *row.notes),
        _badge(row.image),
    ]
    return tag("tr", *cells, **({"class_": "control"} if row.control else {}))


def cell(measure: Measure | None, *, share: bool = False) -> str:
    """Return a number as a cell of an HTML table, with its interval and whose it is."""
    if measure is None:
        return tag("td", ABSENT)
    form = percent if share else decibels
    below = "" if measure.exact else tag("small", f"{form(measure.low)}–{form(measure.high)}")
    name = tag("small", text(measure.adversary.split("/")[-1])) if measure.adversary else ""
    return tag("td", form(measure.value), below, name, title=f"n = {measure.n}")


def _badge(verdict: Verdict, *notes: str) -> str:
    mark = tag("span", verdict.value, class_=f"verdict {TONES[verdict]}")
    return tag("td", mark, *(tag("small", text(note)) for note in notes), class_="word")
