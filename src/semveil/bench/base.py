"""What a ratio states about itself, and how the two sides of one are timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

Tick = Callable[[int, int], None]
"""Told ``(rounds done, rounds in all)``."""

_ENOUGH = 5


class MissingExtraError(Exception):
    """A ratio cannot be measured because an optional library is missing.

    Args:
        library: What is missing.
        extra: The extra of this package that brings it.

    Example:
        >>> str(MissingExtraError("sionna", "test"))
        "needs sionna: pip install 'semveil[test]'"
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(f"needs {library}: pip install 'semveil[{extra}]'")


@dataclass(frozen=True)
class Work:
    """One side of a ratio.

    Attributes:
        what: What is timed, and per what, such as ``"training loop, per image"``.
        run: Does it.
        units: How many of these one call does; its time is divided by them.
    """

    what: str
    run: Callable[[], object]
    units: int = 1

    def time(self) -> float:
        """Do it once and return the seconds per unit."""
        start = time.perf_counter()
        self.run()
        return (time.perf_counter() - start) / self.units


@dataclass(frozen=True)
class Rounds:
    """Both sides' times, seconds per unit, one of each per round.

    Attributes:
        over: What stands over the line.
        under: What stands under it.
        over_s: Its times.
        under_s: Its times, in the same order.

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


def alternate(over: Work, under: Work, rounds: int, tick: Tick, patience_s: float = 60.0) -> Rounds:
    """Time two pieces of work in turn, after one run of each that does not count.

    What else the machine does changes slowly compared with a round, so it weighs on both sides
    of a round alike; who begins changes from round to round, so that neither gains by its place.

    Args:
        over: What stands over the line.
        under: What stands under it.
        rounds: How often each is timed.
        tick: Told after every round.
        patience_s: After so many seconds five rounds are enough: a machine with many other things
            to do can take an hour for what takes it a minute when it is idle.

    Returns:
        The times.

    Example:
        >>> work = Work("sum of a thousand numbers", lambda: sum(range(1000)))
        >>> len(alternate(work, work, 3, lambda done, total: None).ratios)
        3
    """
    over.run()
    under.run()
    over_s, under_s = list[float](), list[float]()
    start = time.monotonic()
    for done in range(rounds):
        if done >= _ENOUGH and time.monotonic() - start > patience_s:
            tick(rounds, rounds)
            break
        if done % 2:
            under_s.append(under.time())
            over_s.append(over.time())
        else:
            over_s.append(over.time())
            under_s.append(under.time())
        tick(done + 1, rounds)
    return Rounds(over, under, over_s, under_s)


@dataclass(frozen=True)
class Ratio:
    """One ratio of speeds, and what it should be.

    Attributes:
        title: One line about it.
        target: How it compares with which bound where all is well.
        measure: Measures it; given whether to be quick, and what to tell after a round.
    """

    title: str
    target: tuple[Literal[">=", "<="], float]
    measure: Callable[[bool, Tick], Rounds]

    def met(self, value: float) -> bool:
        """Tell whether a value meets the target.

        Example:
            >>> Ratio("", ("<=", 0.15), lambda quick, tick: None).met(0.1)
            True
        """
        comparison, bound = self.target
        return value >= bound if comparison == ">=" else value <= bound
