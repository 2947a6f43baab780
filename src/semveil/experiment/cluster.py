"""Running jobs on a Ray cluster, whose machines may come and go.

A job works in a temporary folder of its machine, and its files are returned as bytes: the machines
need no shared file system and no data folder. Only the calling process writes the study's folder,
so that a job is recorded once, however often it was retried.
"""

from __future__ import annotations

import os
import shutil
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

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
from semveil.experiment.process import require_count, require_share
from semveil.files import new_folder, temporary_folder

# Machines may leave the cluster more than once during a long job.
RETRIES = 20
# Jobs on other machines do not report how far they are, but who waits may want to stop.
_TICK_S = 1.0

Files = dict[str, bytes]


@dataclass(frozen=True)
class Cluster:
    """Runner on a Ray cluster, at an address as for ``ray.init``; cores and GPUs are per job."""

    address: str
    cores: int = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        require_count("cores_per_job", self.cores)
        require_share(self.gpus)
        _ray()
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        if not port.isdecimal():
            return
        # Ray would retry for minutes.
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except (OSError, OverflowError) as error:
            raise SemveilError(f"ray {self.address}: cannot be reached: {error}") from None

    def check(self) -> None:
        """Refuse a cluster that cannot be reached, or whose machines are too small for a job."""
        ray = _ray()
        with _connected(ray, self.address):
            self._check_room(ray)

    def __call__(
        self, folder: Path, jobs: Sequence[Job], context: JobContext, on_progress: OnProgress
    ) -> None:
        """Do jobs, and write each into a folder of its name when it has finished.

        A job whose machine dies is retried on another.
        """
        if not jobs:
            return
        ray = _ray()
        with _connected(ray, self.address):
            self._check_room(ray)
            remote = ray.remote(_do)
            there = replace(context.elsewhere(), root=None)
            # A machine fetches the images once; its jobs share the memory.
            images: dict[str, Any] = {}
            running: dict[Any, Job] = {}
            for job in jobs:
                key = images_key(job)
                asked = remote.options(
                    name=f"job {job.name}",
                    num_cpus=self.cores,
                    num_gpus=self.gpus,
                    max_retries=RETRIES,
                )
                with tolerated(job, context):
                    if key not in images:
                        images[key] = ray.put(read_images(job, context))
                    running[asked.remote(job, there, images[key], self.cores)] = job
            while running:
                ready, _ = ray.wait(list(running), num_returns=1, timeout=_TICK_S)
                for each in ready:
                    job = running.pop(each)
                    with tolerated(job, context):
                        _write(folder / job.name, _result(ray, each, job))
                        on_progress(job, FINISHED, 1, 1)
                for job in list(running.values())[:1]:
                    on_progress(job, "on the cluster", 0, 1)

    def _check_room(self, ray: ModuleType) -> None:
        # Ray would wait silently for such a machine.
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(
            machine.get("CPU", 0) >= self.cores and machine.get("GPU", 0) >= self.gpus
            for machine in machines
        ):
            raise SemveilError(
                f"no machine of the cluster has {self.cores} cores and {self.gpus:g} GPUs for a "
                "job: change cores_per_job or gpus_per_job, or add a machine first"
            )


def _ray() -> ModuleType:
    # Before the import, which reads it: no usage statistics are sent.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Jobs without GPUs must not see any.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise SemveilError("ray needs Ray: pip install 'semveil[scale]'") from None
    return ray


@contextmanager
def _connected(ray: ModuleType, address: str) -> Iterator[None]:
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SemveilError(f"ray {address}: cannot reach a cluster there: {reason}") from None
    try:
        yield
    finally:
        # Running jobs end with it.
        ray.shutdown()


def _do(job: Job, context: JobContext, splits: ImageSplits, cores: int) -> Files | str:
    """Do a job on a machine of the cluster; return its files, or the error message."""
    # Shared images are read-only.
    warnings.filterwarnings("ignore", "The given NumPy array is not writable")
    torch.set_num_threads(cores)
    with temporary_folder() as scratch:
        folder = scratch / job.name
        try:
            run_job(folder, job, replace(context, splits=splits))
        except SemveilError as error:
            return str(error)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


def _result(ray: ModuleType, ready: Any, job: Job) -> Files:
    try:
        result: Files | str = ray.get(ready)
    except ray.exceptions.RayTaskError:
        # An error in the job's work, with its traceback.
        raise
    except ray.exceptions.RayError as error:
        raise SemveilError(f"job {job.name} was lost: {error}") from None
    if isinstance(result, str):
        raise SemveilError(result)
    return result


def _write(folder: Path, files: Files) -> None:
    """Write a job's files."""
    if folder.exists():
        # Left by an interrupted attempt on this machine.
        shutil.rmtree(folder)
    new_folder(folder, files)
