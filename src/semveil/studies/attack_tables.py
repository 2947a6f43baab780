"""Parts that the pages of attacks and defences share: tables, figures, facts in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from semveil.report.attack_rows import NONE, AttackRow, attack_rows, merged
from semveil.report.sanity_checks import RULES, violations
from semveil.report.summary import signed
from semveil.studies.attack_records import AttackedLink, level
from semveil.studies.words import Value, markdown_table

READING = """**How to read the numbers.** Every number has its 95 % interval in brackets (Wilson for
rates, bootstrap for images; over several seeds it spans those of all). Differences take both
figures as independent, although all attacks meet the same images, fading and noise: the intervals
are therefore rather too wide. *Confirmed* and *refuted* mean that the whole interval lies beyond
the claim or short of it, *undecided* that it lies across; of a claim with several parts all must
hold. PSR is the perturbation's energy over the signal's at Bob's antenna, met exactly; jamming has
the same energy. Where a word of the paper has no number left in the text that we have, how it was
taken is stated."""


def facts(table: pd.DataFrame) -> str:
    """Return what was measured, from the records: sets, SNRs, budgets, images, seeds."""
    bob = table[table["role"] == "bob"]
    whole = bob[~bob["metric"].str.contains("_class_")]
    lines = []
    for dataset, rows in whole.groupby("dataset", sort=False):
        budgets = ", ".join(signed(psr) for psr in sorted(rows["psr_db"].dropna().unique()))
        snrs = ", ".join(f"{snr:g}" for snr in sorted(rows["test_snr_db"].dropna().unique()))
        lines.append(
            [
                str(dataset),
                f"{rows['n'].max():,}",
                ", ".join(str(seed) for seed in sorted(rows["seed"].unique())),
                str(rows["channel"].iloc[0]),
                snrs,
                budgets,
                f"{rows['latent_dim'].max():g} ({rows['bandwidth_ratio'].max():.3g})",
            ]
        )
    heads = ["set", "test images", "seeds", "channel", "Bob's SNR, dB", "PSR, dB"]
    return markdown_table([*heads, "reals per image (uses per source real)"], lines)


def warnings(table: pd.DataFrame) -> str:
    """Return the orderings that every evaluation must keep, and where this one does not."""
    found = violations(attack_rows(merged(table)))
    said = "\n".join(f"- Warning: {words}" for words in found)
    return (
        "## Is the evaluation itself sound?\n\n"
        f"Three orderings must hold, beyond the intervals: {'; '.join(RULES)}. "
        + (
            f"They do not everywhere:\n\n{said}\n"
            if found
            else "They hold wherever both sides were measured.\n"
        )
    )


# Column → metric and its number of digits; None for a share in percent.
_COLUMNS: Mapping[str, tuple[str, int | None]] = {
    "aimed at, %": ("accuracy_targeted", None),
    "others, %": ("accuracy_others", None),
    "misled, %": ("misleading_rate", None),
    "PSNR, dB": ("psnr_db", 2),
    "SSIM": ("ssim", 3),
}


def accuracies(found: Sequence[AttackedLink]) -> str:
    """Return Bob's accuracy at every budget and, at the highest, all else: a table."""
    budgets = sorted({psr_db for victim in found for psr_db in victim.budgets})
    measured = {
        metric
        for victim in found
        for row in victim.rows.values()
        if row.attack != NONE
        for metric in row.table["metric"]
    }
    columns = {name: c for name, c in _COLUMNS.items() if c[0] in measured}
    lines = []
    for victim in found:
        for row in victim.rows.values():
            cells = [_cell(row, row.hit, psr_db, None) for psr_db in budgets]
            top = budgets[-1] if budgets else None
            cells += [_cell(row, metric, top, digits) for metric, digits in columns.values()]
            lines.append([f"`{victim.name}`", row.name, *cells])
    heads = ["link", "attack", *(f"{signed(b)} dB, %" for b in budgets), *columns]
    return markdown_table(heads, lines)


def _cell(row: AttackRow, metric: str, psr_db: float | None, digits: int | None) -> str:
    found = row.at(metric, psr_db)
    if found is None:
        return "–"
    figure = Value(found.value, found.low, found.high)
    return figure.percent() if digits is None else level(figure, digits)


def drawn(
    found: Iterable[AttackedLink], attacks: Sequence[str] | None = None
) -> dict[str, dict[str, AttackRow]]:
    """Return what figures draw: one panel per link, one line or bar per attack.

    Args:
        found: The links.
        attacks: Attacks to draw, besides nobody; all if None.
    """
    return {
        f"{victim.dataset}: {victim.name}": {
            row.name: row
            for (name, _), row in victim.rows.items()
            if attacks is None or name in (NONE, *attacks)
        }
        for victim in found
    }


def middle(found: Iterable[AttackedLink]) -> float | None:
    """Return the budget in the middle, dB, which figures by class show; None without any."""
    budgets = sorted({psr_db for victim in found for psr_db in victim.budgets})
    return budgets[len(budgets) // 2] if budgets else None
