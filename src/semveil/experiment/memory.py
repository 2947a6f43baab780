"""How much memory something takes, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch

from semveil.errors import SemveilError
from semveil.experiment.costs import Chain
from semveil.experiment.transceiver import build
from semveil.nets.convolutional import ImageShape
from semveil.recipe import Recipe

P = ParamSpec("P")
T = TypeVar("T")

_STATUS = Path("/proc/self/status")


def in_own_process(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a module in a new process, and return what it returns.

    Raises:
        SemveilError: If the process dies, as for want of memory.

    Example:
        >>> in_own_process(abs, -3)
        3
    """
    # A fork of this process would inherit its threads and memory; the server has only imported.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, context) as pool:
        try:
            return pool.submit(work, *args, **kwargs).result()
        except BrokenProcessPool:
            raise SemveilError(
                "a process that measures memory was killed, perhaps for want of it"
            ) from None


def memory(field: str) -> int | None:
    """Return what Linux says of this process's memory, bytes; None elsewhere.

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


def peak_of(
    scheme: str, recipe: Recipe, image_shape: ImageShape, classes: int, batch: int
) -> int | None:
    """Return by how much Alice's and Bob's work raises a new process's memory.

    The peak of the resident set while both ends' networks are built and one batch passes, less
    what was resident when everything had been imported. One thread.

    Args:
        scheme: Its name.
        recipe: The settings.
        image_shape: Channels, height, width.
        classes: Answers of the task.
        batch: Images.

    Returns:
        Bytes; None where the system does not tell.

    Raises:
        SemveilError: If the process dies.
    """
    return in_own_process(_peak, scheme, recipe, image_shape, classes, batch)


def _peak(
    scheme: str, recipe: Recipe, image_shape: ImageShape, classes: int, batch: int
) -> int | None:
    torch.set_num_threads(1)
    before = memory("VmRSS")
    ends = build(scheme, recipe, image_shape, classes, seed=0)
    # She is no part of what is deployed.
    ends.trained.eves.clear()
    Chain(ends, batch)()
    after = memory("VmHWM")
    return None if before is None or after is None else after - before
