"""The summary in words, computed from the rows of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from semveil.report.summary import Measure, Row, Verdict, signed
from semveil.report.table import heading, percent

MOST_LISTED = 3

COUNTED = {
    Verdict.NONE: "gets as much of the label as Bob, within the 95 % intervals,",
    Verdict.PARTIAL: "gets less of it than Bob and more than guessing",
    Verdict.CHANCE: "does no better than guessing",
    Verdict.LEAK: "beats guessing",
    Verdict.BROKEN: "does no better than guessing, nor does Bob,",
    Verdict.UNTESTED: "was not tried",
}
OUTCOMES = {
    Verdict.NONE: "That is Bob’s figure within the 95 % intervals, or more: no protection.",
    Verdict.PARTIAL: "That is less than Bob and more than guessing: partial protection.",
    Verdict.CHANCE: "Within its 95 % interval, that is no better than guessing.",
    Verdict.LEAK: "That is better than guessing.",
    Verdict.BROKEN: "Neither of them does better than guessing: the link itself does not work.",
    Verdict.UNTESTED: "No fresh Eve was tried at this SNR, so nothing is known about protection.",
}


def systems(found: Iterable[Row]) -> list[Row]:
    """Return the rows of schemes, without controls while there are others.

    Args:
        found: Rows of one or more runs (see `semveil.report.summary.rows`).

    Returns:
        Those that a summary is about.
    """
    every = list(found)
    return [row for row in every if not row.control] or every


def lead(found: Iterable[Row]) -> str:
    """Count the verdicts on Bob's own label, and say what guessing gets.

    Args:
        found: Rows of one or more runs.

    Returns:
        One or two sentences.
    """
    main = systems(found)
    main = [row for row in main if row.target == "label"] or main
    counts = Counter(row.label for row in main)
    noun = "system" if len(main) == 1 else "systems"
    if len({row.name for row in main}) < len(main):
        noun = "pairs of a system and a setting"
    parts: list[str] = []
    for verdict in Verdict:
        if counts[verdict] == len(main):
            share = f"all {len(main)} {noun}" if len(main) > 1 else f"the one {noun} measured"
        else:
            share = str(counts[verdict]) if parts else f"{counts[verdict]} of {len(main)} {noun}"
        if counts[verdict]:
            parts.append(f"{COUNTED[verdict]} in {share}")
    known = sorted({row.chance for row in main if row.chance is not None})
    guessing = f" Guessing gets {_span(known)}." if known else ""
    return f"At Bob’s SNR, the strongest Eve {', '.join(parts)}.{guessing}"


def headline(found: Iterable[Row]) -> list[tuple[str, list[str]]]:
    """Say of each scheme what Bob, the paper's Eve and fresh Eves get.

    Args:
        found: Rows of one or more runs.

    Returns:
        Pairs of a scheme's name and paragraphs of plain sentences on it.
    """
    main = systems(found)
    names = dict.fromkeys(row.name for row in main)
    groups = {name: [row for row in main if row.name == name] for name in names}
    return [(name, _words(group)) for name, group in groups.items()]


def _words(group: list[Row]) -> list[str]:
    if len(group) == 1:
        return [_one(group[0])]
    return _few(group) if len(group) <= MOST_LISTED else [_many(group)]


def _one(row: Row) -> str:
    place = "" if row.snr_db is None else f" at {signed(row.snr_db)} dB"
    sentences = []
    if row.bob_accuracy is not None:
        sentences.append(f"Bob gets {_rate(row.bob_accuracy)} of the labels right{place}.")
    if row.eve_paper is not None:
        sentences.append(f"The Eve trained as in the paper gets {_rate(row.eve_paper)}.")
    if row.eve_fresh is not None:
        goal = "" if row.target == "label" else f" of {row.target}"
        several = row.fresh_tried > 1
        who = f"The best of {row.fresh_tried} fresh Eves" if several else "The fresh Eve"
        sentences.append(f"{who} at the same SNR gets {_rate(row.eve_fresh)}{goal}.")
    sentences.append(OUTCOMES[row.label])
    if row.asymmetry == "channel":
        sentences += [
            f"With {signed(level)} dB she gets {_rate(measure)}." for level, measure in row.weaker
        ]
    if row.eve_psnr is not None:
        sentences.append(_image(row))
    sentences += [f"Caution: {note}." for note in row.notes]
    return " ".join(sentences)


def _image(row: Row) -> str:
    assert row.eve_psnr is not None
    others = []
    if row.bob_psnr is not None:
        others.append(f"{row.bob_psnr.value:.1f} dB for Bob’s")
    if row.floor_db is not None:
        others.append(f"{row.floor_db:.1f} dB for the mean image")
    against = f", against {' and '.join(others)}" if others else ""
    return f"Her rebuilt image has {row.eve_psnr.value:.1f} dB PSNR{against}: {row.image.value}."


def _few(group: list[Row]) -> list[str]:
    """One line per setting, named by what sets it apart."""
    conditions = [dict(row.condition) for row in group]
    keys = [key for key in conditions[0] if len({str(one[key]) for one in conditions}) > 1]
    lines = []
    for row, condition in zip(group, conditions, strict=True):
        parties = {
            "Bob": row.bob_accuracy,
            "the paper’s Eve": row.eve_paper,
            "the strongest fresh Eve": row.eve_fresh,
        }
        parts = [f"{who} {_rate(measure)}" for who, measure in parties.items() if measure]
        notes = "".join(f" Caution: {note}." for note in row.notes)
        title = heading((key, condition[key]) for key in keys)
        lines.append(f"{title}: {', '.join(parts)}: {row.label.value}.{notes}")
    return lines


def _many(group: list[Row]) -> str:
    bob = sorted(row.bob_accuracy.value for row in group if row.bob_accuracy)
    paper = sorted(row.eve_paper.value for row in group if row.eve_paper)
    fresh = sorted(row.eve_fresh.value for row in group if row.eve_fresh)
    parties = {"Bob gets": bob, "the paper’s Eve": paper, "the strongest fresh Eve": fresh}
    parts = [f"{who} {_span(values)}" for who, values in parties.items() if values]
    counts = Counter(row.label for row in group)
    verdicts = ", ".join(f"{label.value} in {counts[label]}" for label in Verdict if counts[label])
    notes = dict.fromkeys(note for row in group for note in row.notes)
    caution = "".join(f" Caution: {note}." for note in notes)
    return f"Over {len(group)} settings: {', '.join(parts)}. Verdict: {verdicts}.{caution}"


def _rate(measure: Measure) -> str:
    interval = "" if measure.exact else f" ({percent(measure.low)}–{percent(measure.high)})"
    # A no-break space: the sign stays with its number.
    return f"{percent(measure.value)}\N{NO-BREAK SPACE}%{interval}"


def _span(values: list[float]) -> str:
    ends = list(dict.fromkeys(percent(value) for value in (values[0], values[-1])))
    return "–".join(ends) + "\N{NO-BREAK SPACE}%"
