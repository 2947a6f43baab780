"""How numbers, fields and tables are written on the pages of papers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from semveil.records import Estimate
from semveil.report.table import ABSENT, markdown_table, signed

HEADS = {
    "dataset": "data set",
    "adversary": "attack",
    "psr_db": "PSR, dB",
    "test_snr_db": "SNR, dB",
    "latent_dim": "d",
    "training": "adversarial training",
    "params.shift": "change",
    "params.mallory": "Mallory",
    "params.cfo": "CFO, subcarriers",
    "params.sro_ppm": "clock offset, ppm",
    "params.ofdm_symbols": "OFDM symbols",
    "params.innocent_weight": "weight of the others",
    "params.diversity": "weight of the diversity",
}
NULLS = {
    "adversary": "No attack",
    "training": "none",
    "variant": "none",
    "control": "none",
    "params.innocent_weight": "by number",
    "params.diversity": "0.1",
}


def head(name: str) -> str:
    """Return the head of a table's column for a field of records."""
    return HEADS.get(name, name.removeprefix("params.").replace("_", " "))


def named(name: str, value: Any) -> str:
    """Return a field's value as a table names it."""
    if value is None or pd.isna(value):
        return NULLS.get(name, ABSENT)
    if name == "params.protections":
        return ", ".join(json.loads(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return signed(value)
    return f"`{value}`" if name in ("system", "scheme") else str(value)


def _written(write: Callable[[float], str], to: str = " to ") -> Callable[[Estimate], str]:
    """Return a format of a number and the ends of its interval, if it has one."""

    def written(number: Estimate) -> str:
        value, low, high = map(write, (number.value, number.low, number.high))
        around = "" if number.low == number.high else f" ({low}{to}{high})"
        return f"{value}{around}".replace("-", "−")

    return written


def points(number: Estimate) -> str:
    """Return a difference of rates in percentage points with its interval."""
    value, low, high = (f"{100 * x:+.1f}" for x in (number.value, number.low, number.high))
    return f"{value} ({low} to {high})".replace("-", "−")


def level(digits: int, unit: str = "", scale: float = 1) -> Callable[[Estimate], str]:
    """Return a format with so many digits."""
    written = _written(lambda x: f"{scale * x:,.{digits}f}")
    return lambda number: written(number) + unit


def spread(number: Estimate) -> str:
    """Return a rate in percent with its standard deviation, which is half of its interval."""
    half = (number.high - number.low) / 2
    return f"{100 * number.value:.1f}" + (f" ± {100 * half:.1f}" if number.n > 1 else "")


percent = _written(lambda x: f"{100 * x:.1f}", "–")

_MEASURED = ("value", "ci_low", "ci_high", "n")

FORMATS: Mapping[str, Callable[[Estimate], str]] = {
    "percent": percent,
    "points": points,
    "rate": lambda number: f"{percent(number)} %",
    "integer": level(0),
    "number": level(2),
    "number3": level(3),
    "dB": level(2, " dB"),
    "bits": level(3, " bits"),
    "MB": level(2, " MB"),
    "milliseconds": level(2, " ms", 1000),
    "share": lambda number: f"{100 * number.value:.1f}",
    "short": lambda number: f"{number.value:.2g}",
    "significant": _written(lambda x: f"{float(f'{x:.3g}'):,.10g}"),
    "spread": spread,
    "value": lambda number: f"{number.value:.2f}",
    "value1": lambda number: f"{number.value:.1f}",
}


def facts(table: pd.DataFrame) -> str:
    """Return what was measured of Bob, by data set: images, seeds, channel, SNRs, budgets."""
    bob = table[(table["role"] == "bob") & table["image_class"].isna()]
    lines = []
    for dataset, rows in bob.groupby("dataset", sort=False):
        budgets = sorted(rows["psr_db"].dropna().unique())
        lines.append(
            [
                str(dataset),
                f"{rows['n'].max():,}",
                ", ".join(str(seed) for seed in sorted(rows["seed"].unique())),
                str(rows["channel"].iloc[0]),
                ", ".join(map(signed, sorted(rows["test_snr_db"].dropna().unique()))),
                ", ".join(map(signed, budgets)) or ABSENT,
                f"{rows['latent_dim'].max():g} ({rows['bandwidth_ratio'].max():.3g})",
            ]
        )
    heads = ["data set", "test images", "seeds", "channel", "Bob's SNR, dB", "PSR, dB"]
    return markdown_table([*heads, "reals per image (channel uses per source real)"], lines)


def convergence(table: pd.DataFrame) -> str:
    """Return how many fresh Eves had epochs enough; nothing where that was not recorded."""
    flags = table[(table["metric"] == "converged") & (table["role"] == "eve")]
    one = [name for name in flags.columns if name not in ("test_snr_db", *_MEASURED)]
    # One Eve listens at several SNRs.
    eves = flags.drop_duplicates([*one, "value"])
    cut_off = int((eves["value"] == 0).sum())
    if not len(eves):
        return ""
    count = (
        "Fresh Eves whose epochs ran out while their validation loss was still falling "
        f"(`converged` is 0): {cut_off:,} of {len(eves):,}."
    )
    if not cut_off:
        return count
    return (
        f"{count} Trained for longer they may be stronger: what they got is a lower bound, and "
        "where a protection seems to hold against them, that holds for Eves of this effort."
    )


def sanity_checks(table: pd.DataFrame) -> str:
    """Return the orderings that every evaluation of attacks must keep, and where this one fails."""
    from semveil.report.attack_rows import attack_rows, merged
    from semveil.report.sanity_checks import RULES, violations

    found = violations(attack_rows(merged(table)))
    said = "\n".join(f"- Warning: {words}" for words in found)
    return f"Three orderings must hold, beyond the intervals: {'; '.join(RULES)}. " + (
        f"Where they do not, or an attack leaves nothing to compare, there is a warning:\n\n{said}"
        if found
        else "They hold wherever both sides were measured."
    )
