"""Claims of papers, judged by whole intervals, and how a page states them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from semveil.report.summary import signed
from semveil.studies.words import Value, markdown_table

# How words of claims are taken where the numbers behind them are not known.
LITTLE, STRONG = 0.05, 0.20  # points of accuracy
SAME_DB, SHARP_DB = 1.0, 3.0  # PSNR
SAME_SSIM, SHARP_SSIM = 0.05, 0.10
HIGH = 0.5  # misleading rate


class Verdict(StrEnum):
    """What the intervals say of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    OPEN = "undecided"


def at_least(found: Value, least: float) -> Verdict:
    """Judge that a number is at least so large, by its whole interval.

    Example:
        >>> found = Value(0.3, 0.2, 0.4)
        >>> [at_least(found, least).value for least in (0.2, 0.3, 0.5)]
        ['confirmed', 'undecided', 'refuted']
    """
    if found.low >= least:
        return Verdict.CONFIRMED
    return Verdict.REFUTED if found.high < least else Verdict.OPEN


def at_most(found: Value, most: float) -> Verdict:
    """Judge that a number is at most so large, by its whole interval.

    Example:
        >>> at_most(Value(0.3, 0.2, 0.4), 0.5).value
        'confirmed'
    """
    return at_least(Value(-found.value, -found.high, -found.low), -most)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Judge a claim of several parts: it falls with any, and stands with all.

    Example:
        >>> all_of([Verdict.CONFIRMED, Verdict.OPEN]).value
        'undecided'
    """
    found = set(verdicts)
    if Verdict.REFUTED in found:
        return Verdict.REFUTED
    return Verdict.OPEN if Verdict.OPEN in found else Verdict.CONFIRMED


@dataclass(frozen=True)
class Finding:
    """A verdict and the numbers behind it, in words."""

    verdict: Verdict
    words: str

    def __str__(self) -> str:
        return f"**{self.verdict}**: {self.words}"


Judge = Callable[[float], Finding | None]


@dataclass(frozen=True)
class Claim:
    """One claim, judged in several cases at several budgets.

    Attributes:
        title: What is claimed.
        about: How its words were taken, and what the numbers are.
        heads: What the words that name a case are.
        budgets: PSRs, dB.
        cases: Words that name a case, and its findings by budget; None where nothing was measured.
    """

    title: str
    about: str
    heads: tuple[str, ...]
    budgets: Sequence[float]
    cases: Mapping[tuple[str, ...], Sequence[Finding | None]]

    @classmethod
    def judged(
        cls,
        title: str,
        about: str,
        heads: tuple[str, ...],
        budgets: Sequence[float],
        cases: Iterable[tuple[tuple[str, ...], Judge]],
    ) -> Claim:
        """Judge every case at every budget; cases without any finding are left out."""
        found = {names: [judge(psr_db) for psr_db in budgets] for names, judge in cases}
        kept = {names: findings for names, findings in found.items() if any(findings)}
        return cls(title, about, heads, budgets, kept)

    def counts(self) -> dict[Verdict, int]:
        """Return how often each verdict was found."""
        every = [finding for findings in self.cases.values() for finding in findings if finding]
        return {v: sum(finding.verdict == v for finding in every) for v in Verdict}

    def section(self, number: int) -> str:
        """Return the claim as a section of a page."""
        if not self.cases:
            return f"### {number}. {self.title}\n\n{self.about} Not measured."
        heads = [*self.heads, *(f"{signed(psr_db)} dB" for psr_db in self.budgets)]
        lines = [
            [*names, *(str(finding) if finding else "–" for finding in findings)]
            for names, findings in self.cases.items()
        ]
        return f"### {number}. {self.title}\n\n{self.about}\n\n{markdown_table(heads, lines)}"


def summary(claims: Iterable[Claim]) -> str:
    """Return how often each claim was confirmed, refuted and left open."""
    lines = []
    for number, claim in enumerate(claims, start=1):
        counts = [str(n) for n in claim.counts().values()]
        lines.append([f"{number}. {claim.title}", *(counts if claim.cases else ["–"] * 3)])
    return markdown_table(["claim", *Verdict], lines)
