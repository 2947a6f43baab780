"""Processor time of several pieces of work that run in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from semveil.device import one_thread
from semveil.metrics.intervals import Estimate, median_of

K = TypeVar("K")

Work = Callable[[], object]


def processor_seconds(run: Work, least_s: float = 0.0) -> float:
    """Return the processor time of one run, which is repeated until ``least_s`` has been spent."""
    start, times = time.process_time(), 0
    while True:
        run()
        times += 1
        passed = time.process_time() - start
        if passed >= least_s:
            return passed / times


def interleave(work: Mapping[K, Work], rounds: int, least_s: float = 0.0) -> dict[K, list[float]]:
    """Return processor seconds of pieces of work in turn, after one run that does not count."""
    seconds: dict[K, list[float]] = {name: [] for name in work}
    names = list(work)
    with one_thread():
        for run in work.values():
            run()
        for number in range(rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                seconds[name].append(processor_seconds(work[name], least_s))
    return seconds


def ratios(seconds: Mapping[K, list[float]], reference: K) -> dict[K, Estimate]:
    """Return the median ratio of each one's seconds to the reference's, round by round."""
    return {
        name: median_of([mine / other for mine, other in zip(own, seconds[reference], strict=True)])
        for name, own in seconds.items()
    }
