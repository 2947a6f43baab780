"""Running jobs on this machine, in this process or in several."""

from __future__ import annotations

import math
import os
import pickle
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from semveil.data.splits import ImageSplits
from semveil.errors import SemveilError
from semveil.experiment.jobs import (
    FINISHED,
    Job,
    JobContext,
    OnProgress,
    images_key,
    read_images,
    run_job,
    tolerated,
)
from semveil.experiment.process import SLOW, Process, ready, require_count, require_share, stop
from semveil.files import temporary_folder
from semveil.training.loop import Progress

_ADVICE = "finished jobs are kept; resume the study with fewer workers"


@dataclass(frozen=True)
class Pool:
    """Runner on this machine.

    An interrupted job continues from its folder. All processes share the images in memory.

    Attributes:
        workers: Jobs at a time, each in a process; None for one after another in this process.
        cores: Threads per job; by default this process's, shared among the workers. The number of
            threads changes the last digits of what a processor computes: with the same number,
            any number of workers gives the same records.
        gpus: GPUs per job, or the share of one; 0 on a processor.

    Raises:
        SemveilError: If a number is out of bounds, or there are too few GPUs.
    """

    workers: int | None = None
    cores: int | None = None
    gpus: float = 0

    def __post_init__(self) -> None:
        require_count("workers", self.workers)
        require_count("cores_per_job", self.cores)
        if self.workers and self.gpus:
            visible_gpus(self.workers - 1, self.gpus, _gpus())

    def __call__(
        self, folder: Path, jobs: Sequence[Job], context: JobContext, on_progress: OnProgress
    ) -> None:
        """Do jobs, each in a folder of its name."""
        if self.workers is None:
            self._in_this_process(folder, jobs, context, on_progress)
        else:
            self._in_processes(self.workers, folder, jobs, context, on_progress)

    def _in_this_process(
        self, folder: Path, jobs: Sequence[Job], context: JobContext, on_progress: OnProgress
    ) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(self.cores or before)
        key, splits = "", context.splits
        try:
            for job in jobs:
                with tolerated(job, context):
                    # Reading a set of faces takes as long as an epoch: consecutive jobs share it.
                    if images_key(job) != key:
                        key, splits = images_key(job), read_images(job, context)
                    given = replace(context, splits=splits, progress=partial(on_progress, job))
                    run_job(folder / job.name, job, given)
                    on_progress(job, FINISHED, 1, 1)
        finally:
            torch.set_num_threads(before)

    def _in_processes(
        self,
        workers: int,
        folder: Path,
        jobs: Sequence[Job],
        context: JobContext,
        on_progress: OnProgress,
    ) -> None:
        free = list(range(workers))
        threads = self.cores or max(1, torch.get_num_threads() // workers)
        busy: dict[Connection, tuple[Job, int, Process]] = {}
        with temporary_folder() as scratch:
            images = _store_images(jobs, context, scratch)
            # Without those whose images cannot be read.
            waiting = deque(job for job in jobs if images_key(job) in images)
            try:
                while waiting or busy:
                    while waiting and free:
                        job, slot = waiting.popleft(), free.pop(0)
                        gpus = visible_gpus(slot, self.gpus, _gpus()) if self.gpus else None
                        given = context.elsewhere()
                        told = job, folder, given, images[images_key(job)]
                        name = f"job {job.name}"
                        process = Process(name, _work, told, threads, [__name__, *SLOW], gpus)
                        busy[process.pipe] = job, slot, process
                    for pipe in ready(list(busy)):
                        (job, slot, process), ended = busy[pipe], True
                        with tolerated(job, context):
                            if ended := process.listen(partial(on_progress, job), _ADVICE):
                                on_progress(job, FINISHED, 1, 1)
                        if ended:
                            del busy[pipe]
                            process.stop()
                            free.append(slot)
            finally:
                stop(process for _, _, process in busy.values())


def visible_gpus(number: int, share: float, gpus: Sequence[str]) -> str:
    """Return the GPUs of one process, as in ``CUDA_VISIBLE_DEVICES``."""
    require_share(share)
    if share == 0:
        return ""
    # Rounded first: 1 / 0.1 may lie below 10.
    together = math.floor(round(1 / share, 6)) if share <= 1 else 1
    each = math.ceil(share)
    first = number // together * each
    if first + each > len(gpus):
        raise SemveilError(
            f"{number + 1} workers with {share:g} GPUs each, but there are {len(gpus)} GPUs: "
            "ask for fewer workers or a smaller gpus_per_job"
        )
    return ",".join(gpus[first : first + each])


def _gpus() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    return [str(number) for number in range(torch.cuda.device_count())]


def _work(job: Job, folder: Path, context: JobContext, images: Path, progress: Progress) -> None:
    given = replace(context, splits=_load_images(images), progress=progress)
    run_job(folder / job.name, job, given)


def _store_images(jobs: Sequence[Job], context: JobContext, scratch: Path) -> dict[str, Path]:
    """Write the jobs' images to files, so that processes that map them share the memory."""
    places: dict[str, Path] = {}
    for job in jobs:
        key = images_key(job)
        if key not in places:
            with tolerated(job, context):
                splits = read_images(job, context)
                places[key] = _store(splits, scratch / str(len(places)))
    return places


def _store(splits: ImageSplits, place: Path) -> Path:
    arrays: list[pickle.PickleBuffer] = []
    frame = pickle.dumps(splits, protocol=5, buffer_callback=arrays.append)
    try:
        place.mkdir()
        (place / "frame").write_bytes(frame)
        for number, array in enumerate(arrays):
            (place / f"{number}.array").write_bytes(array.raw())
    except OSError as error:
        raise SemveilError(f"cannot write images to {place}: {error.strerror}") from error
    return place


def _load_images(place: Path) -> ImageSplits:
    """Return images of :func:`_store_images`; writing to them would copy."""
    count = len(list(place.glob("*.array")))
    arrays = [np.memmap(place / f"{number}.array", mode="c") for number in range(count)]
    splits = pickle.loads((place / "frame").read_bytes(), buffers=arrays)
    assert isinstance(splits, ImageSplits)
    return splits
