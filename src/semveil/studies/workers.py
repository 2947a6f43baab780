"""Doing the jobs of a study in several processes of one machine."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.studies.base import Job
from semveil.studies.jobs import (
    FINISHED,
    JobContext,
    OnProgress,
    read_images,
    run_job,
    which_images,
)

_TOLD, _DONE, _FAILED, _BROKEN = "told", "done", "failed", "broken"


@dataclass(frozen=True)
class Workers:
    """Runner in processes of this machine; each does one job after another.

    A job works in its own folder, so that an interrupted one goes on where it was. The images
    lie in memory once, whatever the number of processes.

    Attributes:
        count: Processes.
        cores: Threads of each; this process's share among them if None. The number of threads
            moves the last digits of what a CPU computes: with the same number, any count of
            processes ends at the same records.
        gpus: GPUs of each, or the part of one that each may fill; 0 on a CPU.

    Raises:
        SemveilError: If there are too few GPUs.
    """

    count: int
    cores: int | None = None
    gpus: float = 0

    def __post_init__(self) -> None:
        visible_gpus(self.count - 1, self.gpus, _gpus() if self.gpus else [])

    def __call__(
        self, folder: Path, jobs: Sequence[Job], means: JobContext, tell: OnProgress
    ) -> None:
        """Do jobs, each in a folder of its name.

        Raises:
            SemveilError: As the first job that fails, or if a process dies; the others are
                stopped, and what has finished stays.
            RuntimeError: If a job fails in another way.
        """
        waiting = deque(jobs)
        threads = self.cores or max(1, torch.get_num_threads() // self.count)
        with TemporaryDirectory(prefix="semveil-") as scratch, ExitStack() as stack:
            images = _place(jobs, means, Path(scratch))
            busy: dict[Connection, Job] = {}
            for number in range(min(self.count, len(jobs))):
                gpus = visible_gpus(number, self.gpus, _gpus()) if self.gpus else None
                pipe = stack.enter_context(_process(folder, means, images, threads, gpus))
                busy[pipe] = waiting.popleft()
                pipe.send(busy[pipe])
            while busy:
                ready = wait(list(busy))
                for pipe in [pipe for pipe in busy if pipe in ready]:
                    if not _listen(pipe, busy[pipe], tell):
                        continue
                    job = busy.pop(pipe)
                    tell(job, FINISHED, 1, 1)
                    if waiting:
                        busy[pipe] = waiting.popleft()
                        pipe.send(busy[pipe])


def visible_gpus(number: int, share: float, gpus: Sequence[str]) -> str:
    """Return what a process may see of the machine's GPUs.

    Args:
        number: Number of the process, from 0.
        share: GPUs that each gets: a whole number, or a part of one; 0 for none.
        gpus: Names of the GPUs, as in ``CUDA_VISIBLE_DEVICES``.

    Raises:
        SemveilError: If it is one process too many, or the share is no such number.

    Example:
        >>> [visible_gpus(n, 0.5, ["4", "6"]) for n in range(4)], visible_gpus(1, 1, ["4", "6"])
        (['4', '4', '6', '6'], '6')
    """
    if share > 1 and share != int(share):
        raise SemveilError(f"--gpus-per-job {share:g}: a whole number, or a part of one GPU")
    if share == 0:
        return ""
    # Rounded first: 1 / 0.1 may lie below 10.
    together = math.floor(round(1 / share, 6)) if share <= 1 else 1
    each = math.ceil(share)
    first = number // together * each
    if first + each > len(gpus):
        raise SemveilError(
            f"{number + 1} workers with {share:g} GPUs each, but there are {len(gpus)} GPUs: "
            "ask for fewer --workers or a smaller --gpus-per-job"
        )
    return ",".join(gpus[first : first + each])


def _gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(number) for number in range(torch.cuda.device_count())]


def _listen(pipe: Connection, job: Job, tell: OnProgress) -> bool:
    """Hear one word of a process; True if its job has finished."""
    try:
        kind, *rest = pipe.recv()
    except (EOFError, ConnectionError):
        raise SemveilError(
            f"job {job.name}: its process was killed, perhaps for want of memory; finished jobs "
            "are kept, and --resume goes on with fewer --workers"
        ) from None
    if kind == _TOLD:
        tell(job, *rest)
    elif kind == _FAILED:
        raise SemveilError(rest[0])
    elif kind == _BROKEN:
        raise RuntimeError(f"job {job.name} failed in its process:\n{rest[0]}")
    return bool(kind == _DONE)


@contextmanager
def _process(
    folder: Path, means: JobContext, images: dict[str, Path], threads: int, gpus: str | None
) -> Iterator[Connection]:
    """Start a process that does the jobs sent to it; it does not outlive the block."""
    # A fork would inherit threads and CUDA as they are.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, folder, replace(means, progress=None), images, threads, gpus)
    )
    process.start()
    # Otherwise the pipe would not end with the process.
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.terminate()
        process.join(10)
        process.kill()
        process.join()


def _serve(
    pipe: Connection,
    folder: Path,
    means: JobContext,
    images: dict[str, Path],
    threads: int,
    gpus: str | None,
) -> None:
    # Ctrl-C reaches every process of a terminal, but one of them decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # An exit rather than a death, so that processes that a job has started end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    torch.set_num_threads(threads)

    def told(stage: str, done: int, total: int) -> None:
        pipe.send((_TOLD, stage, done, total))

    while True:
        try:
            job: Job = pipe.recv()
        except (EOFError, ConnectionError):
            return
        splits = _placed(images[which_images(job)])
        answer: tuple[Any, ...] = (_DONE,)
        try:
            run_job(folder / job.name, job, replace(means, splits=splits, progress=told))
        except SemveilError as error:
            answer = (_FAILED, str(error))
        except BrokenPipeError:
            # Nobody is left to work for.
            return
        except Exception:
            answer = (_BROKEN, traceback.format_exc())
        pipe.send(answer)


def _place(jobs: Sequence[Job], means: JobContext, scratch: Path) -> dict[str, Path]:
    """Write the jobs' images into files, so that processes that map them share the memory."""
    places: dict[str, Path] = {}
    for job in jobs:
        which = which_images(job)
        if which in places:
            continue
        place = places[which] = scratch / str(len(places))
        place.mkdir()
        arrays: list[pickle.PickleBuffer] = []
        frame = pickle.dumps(read_images(job, means), protocol=5, buffer_callback=arrays.append)
        try:
            (place / "frame").write_bytes(frame)
            for number, array in enumerate(arrays):
                (place / f"{number}.array").write_bytes(array.raw())
        except OSError as error:
            raise SemveilError(f"cannot write images to {place}: {error.strerror}") from error
    return places


def _placed(place: Path) -> ImageSplits:
    """Return images that :func:`_place` wrote; a process that wrote to them would get a copy."""
    found = len(list(place.glob("*.array")))
    arrays = [np.memmap(place / f"{number}.array", mode="c") for number in range(found)]
    splits = pickle.loads((place / "frame").read_bytes(), buffers=arrays)
    assert isinstance(splits, ImageSplits)
    return splits
