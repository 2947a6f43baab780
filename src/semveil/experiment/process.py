"""Processes that work for this one, and what is told through their pipes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import torch

from semveil.errors import SemveilError
from semveil.experiment.training import die_with_parent
from semveil.training.loop import Progress

# Processes clean up within a moment, or do not hear: they may be in the middle of a long step.
_PATIENCE_S = 2.0
SLOW = ("torch._dynamo", "torchmetrics.functional.image", "sklearn.datasets")
"""Modules that are imported where they are needed: by torch's optimisers, SSIM, the digits."""

MOST = 1024
"""How many processes, or threads of one, a user can ask for."""


def require_count(name: str, number: int | None) -> None:
    """Refuse a number of processes or threads that no machine has.

    Raises:
        SemveilError: If it is less than one or more than :data:`MOST`.
    """
    if number is not None and not 1 <= number <= MOST:
        raise SemveilError(f"{name}: {number} is not between 1 and {MOST}")


def require_share(gpus: float) -> None:
    """Refuse a number of GPUs of one process that is neither whole nor a part of one.

    Raises:
        SemveilError: If it is not, or is less than none or more than :data:`MOST`.
    """
    if not 0 <= gpus <= MOST or (gpus > 1 and gpus != int(gpus)):
        raise SemveilError(f"gpus_per_job {gpus:g}: a whole number, or a part of one GPU")


class Process:
    """A process that does one piece of work.

    Args:
        name: What it does, in errors.
        work: A function of a module, called in the process with ``given`` and a :data:`Progress`.
        given: Arguments, which travel between processes.
        threads: Threads that it computes with.
        preload: Modules that are imported once for all processes.
        gpus: As in ``CUDA_VISIBLE_DEVICES``; those of this process if None.

    Attributes:
        result: What the work returned, once it is done.
    """

    def __init__(
        self,
        name: str,
        work: Callable[..., object],
        given: Sequence[Any],
        threads: int,
        preload: Sequence[str],
        gpus: str | None = None,
    ) -> None:
        self.name, self.result = name, None
        # A fork of this process would inherit its threads and CUDA; the server has only imported.
        context = multiprocessing.get_context("forkserver")
        begin_imports(preload)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, threads, gpus))
        # An interruption would leave it half of what it is to begin with: it would complain.
        with _uninterrupted():
            self.process.start()
        # Otherwise the pipe would not end with the process.
        theirs.close()
        # Not among its arguments: these may be large, and take long.
        with suppress(ConnectionError):
            self.pipe.send((work, given))

    def listen(self, progress: Progress, advice: str) -> bool:
        """Receive one message; return whether the work is done.

        Args:
            progress: Told what the process tells.
            advice: What to do if the process was killed.

        Raises:
            SemveilError: If the work was refused, or the process was killed.
        """
        try:
            kind, *rest = self.pipe.recv()
        except (EOFError, ConnectionError):
            raise SemveilError(
                f"{self.name}: its process was killed, perhaps because memory is short; {advice}"
            ) from None
        if kind == "progress":
            progress(*rest)
        elif kind == "refused":
            raise SemveilError(rest[0])
        elif kind == "failed":
            raise RuntimeError(f"{self.name} failed in its process:\n{rest[0]}")
        elif kind == "done":
            (self.result,) = rest
        return bool(kind == "done")

    def stop(self) -> None:
        """End the process, if it still runs."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(_PATIENCE_S)
        self.process.kill()
        self.process.join()


def begin_imports(preload: Sequence[str]) -> None:
    """Start the server that processes begin from: it imports while this process works."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(preload))
    # Which would not keep SIGINT blocked.
    resource_tracker.ensure_running()
    # Ctrl-C reaches every process of a terminal, but only the first one decides: the server, and
    # all that begin from it, inherit that it is blocked, before they run a line of Python.
    with _uninterrupted():
        forkserver.ensure_running()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let SIGINT wait until the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def stop(processes: Iterable[Process]) -> None:
    """End processes, all at once."""
    ending = list(processes)
    for each in ending:
        each.process.terminate()
    for each in ending:
        each.stop()


def ready(pipes: Sequence[Connection]) -> list[Connection]:
    """Wait until something was told through some pipes, and return these."""
    return [pipe for pipe in wait(list(pipes)) if isinstance(pipe, Connection)]


def _work(pipe: Connection, threads: int, gpus: str | None) -> None:
    die_with_parent()
    # An exit instead of a death, so that processes that the work has started end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    torch.set_num_threads(threads)

    def progress(stage: str, done: int, total: int) -> None:
        pipe.send(("progress", stage, done, total))

    answer: tuple[object, ...]
    try:
        work, given = pipe.recv()
        answer = "done", work(*given, progress)
    except SemveilError as error:
        answer = "refused", str(error)
    except (BrokenPipeError, EOFError, ConnectionResetError):
        return  # the first process is gone
    except Exception:
        answer = "failed", traceback.format_exc()
    with suppress(ConnectionError):
        pipe.send(answer)
