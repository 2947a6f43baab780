"""The summary in words, computed from the rows of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from semveil.report.summary import Measure, Row, Verdict, signed
from semveil.report.table import percent

OUTCOMES = {
    Verdict.NONE: "She gets what Bob gets, within the 95 % intervals, or more: no protection.",
    Verdict.PARTIAL: "She gets less than Bob and more than guessing: partial protection.",
    Verdict.CHANCE: "That is no better than guessing, within its 95 % interval.",
    Verdict.LEAK: "That is better than guessing.",
    Verdict.BROKEN: "Bob himself does no better than guessing, so there is nothing to protect.",
    Verdict.UNTESTED: "No fresh Eve was tried, so nothing is known about protection.",
}


def headline(found: Iterable[Row]) -> list[tuple[str, str]]:
    """Say of each scheme what Bob, the paper's Eve and fresh Eves get.

    Args:
        found: Rows of one or more runs (see `semveil.report.summary.rows`).

    Returns:
        Pairs of a scheme's name and plain sentences on it; controls are left out while there are
        schemes.
    """
    every = list(found)
    main = [row for row in every if not row.control] or every
    names = dict.fromkeys(row.name for row in main)
    groups = {name: [row for row in main if row.name == name] for name in names}
    return [
        (name, _one(group[0]) if len(group) == 1 else _many(group))
        for name, group in groups.items()
    ]


def chances(found: Iterable[Row]) -> str:
    """Say what guessing gets, as one figure or a range; empty if it was not measured.

    Args:
        found: Rows of one or more runs.

    Returns:
        A sentence.
    """
    known = sorted({row.chance for row in found if row.chance is not None})
    return f"Guessing gets {_span(known)}." if known else ""


def _one(row: Row) -> str:
    where = "" if row.snr_db is None else f" at {signed(row.snr_db)} dB"
    sentences = []
    if row.bob_accuracy is not None:
        sentences.append(f"Bob names {_rate(row.bob_accuracy)} of the labels{where}.")
    if row.eve_paper is not None:
        sentences.append(f"The Eve trained as in the paper gets {_rate(row.eve_paper)}.")
    if row.eve_fresh is not None:
        goal = "" if row.target == "label" else f" of {row.target}"
        sentences.append(
            f"The strongest fresh Eve at the same SNR gets {_rate(row.eve_fresh)}{goal}."
        )
    sentences.append(OUTCOMES[row.label])
    if row.eve_psnr is not None:
        sentences.append(_image(row))
    return " ".join(sentences)


def _image(row: Row) -> str:
    assert row.eve_psnr is not None
    floor = "" if row.floor_db is None else f"; the mean image has {row.floor_db:.1f} dB"
    bob = "" if row.bob_psnr is None else f" to Bob’s {row.bob_psnr.value:.1f} dB"
    return f"Her image has {row.eve_psnr.value:.1f} dB PSNR{bob}{floor} ({row.image.value})."


def _many(group: list[Row]) -> str:
    bob = sorted(row.bob_accuracy.value for row in group if row.bob_accuracy)
    paper = sorted(row.eve_paper.value for row in group if row.eve_paper)
    fresh = sorted(row.eve_fresh.value for row in group if row.eve_fresh)
    parts = [
        f"{who} {_span(values)}"
        for who, values in (
            ("Bob", bob),
            ("the paper’s Eve", paper),
            ("the strongest fresh Eve", fresh),
        )
        if values
    ]
    counts = Counter(row.label for row in group)
    verdicts = ", ".join(f"{label.value} in {counts[label]}" for label in Verdict if counts[label])
    return f"Over {len(group)} settings: {'; '.join(parts)}. Verdict: {verdicts}."


def _rate(measure: Measure) -> str:
    interval = "" if measure.exact else f" ({percent(measure.low)}–{percent(measure.high)})"
    return f"{percent(measure.value)} %{interval}"


def _span(values: list[float]) -> str:
    ends = list(dict.fromkeys(percent(value) for value in (values[0], values[-1])))
    return "–".join(ends) + " %"
