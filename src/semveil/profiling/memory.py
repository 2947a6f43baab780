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
    """Call a function of a module in a new process, and return its result.

    Raises:
        SemveilError: If the process dies, for instance because memory is short.

    Example:
        >>> in_own_process(abs, -3)
        3
    """
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
    """Return a figure of this process's memory from Linux, bytes; None on other systems.

    Args:
        field: ``VmRSS`` (resident now) or ``VmHWM`` (its peak).

    Example:
        >>> resident, peak = memory("VmRSS"), memory("VmHWM")
        >>> peak is None or peak >= 0.9 * resident
        True
    """
    if not _STATUS.exists():
        return None
    words = _STATUS.read_text().partition(f"{field}:")[2].split()
    return 1024 * int(words[0])


def peak_bytes(prepare: Callable[[], Callable[[], object]]) -> int | None:
    """Return by how much a piece of work raises the memory of a new process, on one thread.

    The peak of the resident set while the work is prepared and runs once, minus the resident set
    after all imports.

    Args:
        prepare: Returns the work; a function of a module, or a partial of one.

    Returns:
        Bytes; None where the system does not tell.

    Raises:
        SemveilError: If the process dies.
    """
    return in_own_process(_peak_bytes, prepare)


def _peak_bytes(prepare: Callable[[], Callable[[], object]]) -> int | None:
    torch.set_num_threads(1)
    before = memory("VmRSS")
    prepare()()
    after = memory("VmHWM")
    return None if before is None or after is None else after - before
