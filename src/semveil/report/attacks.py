"""Tables of attacks on Bob, for the terminal and for the page: the same rows in the same words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from semveil.records import Record
from semveil.report.attack_rows import AttackRow, attack_rows, by_system
from semveil.report.markup import tag, text
from semveil.report.select import frame
from semveil.report.summary import signed
from semveil.report.table import ABSENT, cell, head, heading, lines_of, percent

if TYPE_CHECKING:
    from rich.table import Table

MOST_BUDGETS = 6  # in a table; figures show all
NO_GRADIENT = "needs a gradient"


def budgets(rows: Sequence[AttackRow]) -> list[float]:
    """Return the PSRs that a table shows: all, or evenly chosen ones with both ends.

    Args:
        rows: What it shows.
    """
    every = sorted({psr_db for row in rows for psr_db in row.budgets})
    if len(every) <= MOST_BUDGETS:
        return every
    last = MOST_BUDGETS - 1
    return [every[round(step * (len(every) - 1) / last)] for step in range(MOST_BUDGETS)]


# Column → metric, and whether it is a share; shown where some row has it, at the highest budget.
AT_HIGHEST = {
    "aimed at\n%": ("accuracy_targeted", True),
    "others\n%": ("accuracy_others", True),
    "misled\n%": ("misleading_rate", True),
    "PSNR\ndB": ("psnr_db", False),
}


def shown_columns(rows: Sequence[AttackRow]) -> dict[str, tuple[str, bool]]:
    """Return those of `AT_HIGHEST` of which some row has a figure."""
    metrics = {metric for row in rows for metric in row.table["metric"]}
    return {name: (metric, s) for name, (metric, s) in AT_HIGHEST.items() if metric in metrics}


def attack_table(records: Iterable[Record], asked: Iterable[str] = ()) -> Table:
    """Return attacks on Bob for the terminal, at most 100 columns wide.

    Args:
        records: Records of one or more runs, some of them of Bob under attack.
        asked: Attacks that were asked for.

    Returns:
        The table, ready to be printed by rich: accuracy at each budget, with the wider half of
        its 95 % interval below, and what else there is at the highest.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    whole = Table.grid()
    for number, group in enumerate(by_system(attack_rows(frame(records), asked))):
        levels, columns = budgets(group), shown_columns(group)
        part = Table(
            box=box.SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            show_header=True,
        )
        part.add_column("Bob's accuracy, %\nat a PSR (dB) of" if not number else "", width=19)
        for name in (*(f"\n{signed(level)}" for level in levels), *columns):
            part.add_column(name, width=8 if "aimed" in name else 6, justify="right")
        for row in group:
            label = Text(row.name, overflow="fold")
            if row.table.empty:
                part.add_row(label.append(f"\n{ABSENT}, {NO_GRADIENT}"))
                continue
            cells = [lines_of(row.at(row.hit, level), share=True) for level in levels]
            top = levels[-1] if levels else None
            cells += [lines_of(row.at(m, top), share=share) for m, share in columns.values()]
            part.add_row(label, *cells)
        whole.add_row(Text(title(group), style="bold"))
        whole.add_row(part)
        whole.add_row("")
    whole.caption = (
        "± 95 %. On the right: at the highest PSR shown. Aimed at: images of the class that "
        "Mallory is after."
    )
    whole.caption_justify = "left"
    return whole


def title(group: Sequence[AttackRow]) -> str:
    """Return the words above a system's rows."""
    facts = dict(group[0].condition)
    known = [(key, value) for key, value in facts.items() if key not in {"aim", "test_snr_db"}]
    at = "" if pd.isna(facts["test_snr_db"]) else f", Bob at {signed(facts['test_snr_db'])} dB"
    aim = "" if group[0].aim is None else f", Mallory after {group[0].aim}"
    guess = "" if group[0].chance is None else f", guessing {percent(group[0].chance)} %"
    return f"{group[0].system}: {heading(known)}{at}{aim}{guess}"


def html_attacks(found: Iterable[AttackRow]) -> str:
    """Return the same rows as HTML, one table per system, with the ends of every interval."""
    return "".join(map(_html, by_system(found)))


def _html(group: Sequence[AttackRow]) -> str:
    levels, columns = budgets(group), shown_columns(group)
    heads = tag(
        "thead",
        tag(
            "tr",
            head("Attack", rowspan="2"),
            head("Bob’s accuracy, %, at a PSR of", colspan=str(len(levels)), scope="colgroup"),
            head("At the highest", colspan=str(len(columns)), scope="colgroup") if columns else "",
        ),
        tag(
            "tr",
            *(head(f"{signed(level)} dB") for level in levels),
            *(head(name.replace("\n", ", ")) for name in columns),
        ),
    )
    rows = []
    for row in group:
        name = tag("th", text(row.name), scope="row")
        if row.table.empty:
            words = f"{ABSENT}, {NO_GRADIENT}"
            across = str(len(levels) + len(columns))
            rows.append(tag("tr", name, tag("td", words, colspan=across, class_="word")))
            continue
        cells = [cell(row.at(row.hit, level), share=True) for level in levels]
        top = levels[-1] if levels else None
        cells += [cell(row.at(m, top), share=share) for m, share in columns.values()]
        rows.append(tag("tr", name, *cells))
    table = tag("table", heads, tag("tbody", *rows), class_="summary attacks")
    above = tag("h3", text(title(group)))
    return above + tag(
        "div", table, class_="box", role="region", tabindex="0", aria_label=group[0].system
    )
