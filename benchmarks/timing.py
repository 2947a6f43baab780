"""Ratios of speeds: what is timed on both sides, in alternation, and what the ratio should be."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

OnRound = Callable[[int, int], None]
"""Called with ``(rounds done, rounds in all)``."""

_MIN_ROUNDS = 5


class MissingError(Exception):
    """A ratio cannot be measured because something is missing; the message says what to do."""


class MissingExtraError(MissingError):
    """An optional library is missing."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"needs {library}: pip install 'semveil[{extra}]'")


@dataclass(frozen=True)
class Work:
    """One side of a ratio.

    Attributes:
        what: What is timed, and per what, such as ``"training loop, per image"``.
        run: Does it once.
        units: Units of one call; its time is divided by them.
        repeats: Calls per round. Short work is timed better in several calls than in one.
    """

    what: str
    run: Callable[[], object]
    units: int = 1
    repeats: int = 1

    def time(self) -> float:
        """Return the seconds per unit of one round."""
        start = time.perf_counter()
        for _ in range(self.repeats):
            self.run()
        return (time.perf_counter() - start) / (self.units * self.repeats)


@dataclass(frozen=True)
class Rounds:
    """Times of both sides, seconds per unit, one of each per round.

    Example:
        >>> work = Work("nothing", lambda: None)
        >>> Rounds(work, work, [1.0, 3.0, 9.0], [1.0, 1.0, 1.0]).median
        3.0
    """

    over: Work
    under: Work
    over_s: list[float]
    under_s: list[float]

    @property
    def ratios(self) -> list[float]:
        """The ratio of every round."""
        return [over / under for over, under in zip(self.over_s, self.under_s, strict=True)]

    @property
    def median(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.ratios)

    def plain(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "ratio": self.ratios,
            "min": min(self.ratios),
            "median": self.median,
            "max": max(self.ratios),
            "over": {"what": self.over.what, "seconds": self.over_s},
            "under": {"what": self.under.what, "seconds": self.under_s},
        }


def alternate(
    over: Work, under: Work, rounds: int, on_round: OnRound, patience_s: float = 60.0
) -> Rounds:
    """Time two pieces of work in turn, after one round of each that does not count.

    Other load on the machine changes slowly compared with a round, so it slows both sides of a
    round alike. The order alternates from round to round, so that neither side gains by its place.

    Args:
        over: Numerator of the ratio.
        under: Denominator.
        rounds: How often each is timed.
        on_round: Called after every round.
        patience_s: After so many seconds five rounds are enough: a busy machine can take an hour
            for what takes an idle one a minute.

    Example:
        >>> work = Work("sum of a thousand numbers", lambda: sum(range(1000)))
        >>> len(alternate(work, work, 3, lambda done, total: None).ratios)
        3
    """
    over.time()
    under.time()
    seconds: dict[str, list[float]] = {"over": [], "under": []}
    start = time.monotonic()
    for done in range(rounds):
        if done >= _MIN_ROUNDS and time.monotonic() - start > patience_s:
            on_round(rounds, rounds)
            break
        order = [("over", over), ("under", under)]
        for side, work in order if done % 2 == 0 else reversed(order):
            seconds[side].append(work.time())
        on_round(done + 1, rounds)
    return Rounds(over, under, seconds["over"], seconds["under"])


@dataclass(frozen=True)
class Ratio:
    """One ratio of speeds and its target.

    Attributes:
        title: One line about it.
        target: Comparison and bound that the ratio should meet.
        measure: Measures it; called with whether to be quick, and what to call after a round.
    """

    title: str
    target: tuple[Literal[">=", "<="], float]
    measure: Callable[[bool, OnRound], Rounds]

    def met(self, value: float) -> bool:
        """Tell whether a value meets the target."""
        comparison, bound = self.target
        return value >= bound if comparison == ">=" else value <= bound
