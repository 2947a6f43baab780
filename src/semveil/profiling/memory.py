"""Memory that a piece of work takes, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from semveil.errors import SemveilError

P = ParamSpec("P")
T = TypeVar("T")

_STATUS = Path("/proc/self/status")


def in_own_process(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a module in a new process, and return its result."""
    # A fork of this process would inherit its threads and memory; the server has only imported.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["semveil.profiling.systems"])
    with ProcessPoolExecutor(1, context) as pool:
        try:
            return pool.submit(work, *args, **kwargs).result()
        except BrokenProcessPool:
            raise SemveilError(
                "a process that measures memory was killed; perhaps the machine has too little"
            ) from None


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
    torch.set_num_threads(1)
    before = memory("VmRSS")
    prepare()()
    after = memory("VmHWM")
    return None if before is None or after is None else after - before
