"""Memory that a piece of work takes, measured in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from semveil.experiment.process import Process
from semveil.training.loop import Progress

P = ParamSpec("P")
T = TypeVar("T")

_STATUS = Path("/proc/self/status")


def in_own_process(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a module in a new process, with one thread, and return its result."""
    given = partial(work, *args, **kwargs)
    process = Process("measuring memory", _call, [given], 1, ["semveil.profiling.systems"])
    try:
        while not process.listen(lambda *_: None, "use a machine with more"):
            pass
    finally:
        process.stop()
    return cast(T, process.result)


def _call(work: Callable[[], object], _: Progress) -> object:
    return work()


def memory(field: str) -> int | None:
    """Return a figure of this process's memory from Linux, bytes; None on other systems."""
    if not _STATUS.exists():
        return None
    words = _STATUS.read_text().partition(f"{field}:")[2].split()
    return 1024 * int(words[0])


def peak_bytes(prepare: Callable[[], Callable[[], object]]) -> int | None:
    """Return how far the peak of prepared work lies above a new process's memory, on one thread."""
    return in_own_process(_peak_bytes, prepare)


def _peak_bytes(prepare: Callable[[], Callable[[], object]]) -> int | None:
    before = memory("VmRSS")
    prepare()()
    after = memory("VmHWM")
    return None if before is None or after is None else after - before
